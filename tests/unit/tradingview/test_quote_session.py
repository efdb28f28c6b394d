"""QuoteSession sends subscriptions, and turns messages into quotes and ticks."""

import json
from datetime import date
from pathlib import Path

import pytest

from pocketquant.domain.errors import (
    BadToken,
    NoPermission,
    PocketQuantError,
    ProtocolViolation,
    ProviderFault,
    UnknownSymbol,
)
from pocketquant.domain.events import Dividend
from pocketquant.domain.intervals import DAY
from pocketquant.domain.quotes import Quote, Tick
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Symbol
from pocketquant.tradingview.frames import FrameDecoder, encode
from pocketquant.tradingview.messages import QUOTE_FIELDS, MethodCall, event, read_call
from pocketquant.tradingview.quotes import (
    MOST_UNREADABLE,
    SYMBOLS_A_CALL,
    Doubt,
    DroppedQuote,
    FeedDelay,
    QuoteSession,
    Received,
)

NOW = 1_700_000_000.5
KO, IBM = Symbol.parse("NYSE:KO"), Symbol.parse("NYSE:IBM")


@pytest.fixture
def session() -> QuoteSession:
    """A session with two symbols, whose calls were sent."""
    session = QuoteSession("qs_mine", "token")
    session.add([KO, IBM])
    session.outgoing()
    return session


def qsd(
    symbol: object,
    status: str = "ok",
    session: str = "qs_mine",
    errmsg: str | None = None,
    **fields: object,
) -> str:
    """Return a quote with these fields."""
    answer: dict[str, object] = {"n": str(symbol), "s": status, "v": fields}
    if errmsg is not None:
        answer["errmsg"] = errmsg
    return event("qsd", [session, answer], None)


def completed(symbol: object, session: str = "qs_mine") -> str:
    """Return the end of a symbol's full state."""
    return event("quote_completed", [session, str(symbol)], None)


def calls(session: QuoteSession) -> list[MethodCall]:
    """Return the calls to send."""
    return [read_call(payload) for payload in FrameDecoder().feed("".join(session.outgoing()))]


def errors_of(received: Received) -> list[tuple[str, type[PocketQuantError]]]:
    """Return the refused symbols with the classes of their errors."""
    return [(refused.symbol, type(refused.error)) for refused in received.refused]


def test_the_first_calls() -> None:
    """The first calls create a session, select its fields, add its symbols and make them fast."""
    session = QuoteSession("qs_mine", "token")
    session.add([KO, IBM, KO])
    session.add([IBM])
    assert [
        MethodCall("set_auth_token", ["token"]),
        MethodCall("quote_create_session", ["qs_mine"]),
        MethodCall("quote_set_fields", ["qs_mine", *QUOTE_FIELDS]),
        MethodCall("quote_add_symbols", ["qs_mine", "NYSE:KO", "NYSE:IBM"]),
        MethodCall("quote_fast_symbols", ["qs_mine", "NYSE:KO", "NYSE:IBM"]),
    ] == calls(session)
    assert [] == session.outgoing()
    assert ("NYSE:KO", "NYSE:IBM") == session.symbols


def test_many_symbols() -> None:
    """Many symbols are added in calls of limited size, and made fast in one call."""
    session = QuoteSession("qs_mine", "token")
    session.outgoing()
    symbols = [Symbol("SIM", f"S{number:04}") for number in range(2 * SYMBOLS_A_CALL + 1)]
    for symbol in symbols:
        session.add([symbol])
    sent = calls(session)
    assert [
        ("quote_add_symbols", SYMBOLS_A_CALL),
        ("quote_add_symbols", SYMBOLS_A_CALL),
        ("quote_add_symbols", 1),
        ("quote_fast_symbols", len(symbols)),
    ] == [(each.method, len(each.params) - 1) for each in sent]


def test_removing_symbols(session: QuoteSession) -> None:
    """A removed symbol is unsubscribed, and its late quotes are ignored."""
    session.remove([KO, Symbol("NYSE", "DIS")])
    assert [
        MethodCall("quote_remove_symbols", ["qs_mine", "NYSE:KO"]),
        MethodCall("quote_fast_symbols", ["qs_mine", "NYSE:IBM"]),
    ] == calls(session)
    assert Received() == session.receive(qsd(KO, lp=1.0), NOW)
    assert [] == session.changed()


def test_adding_and_removing_before_anything_is_sent(session: QuoteSession) -> None:
    """Adding and removing a symbol sends nothing; removing and adding one sends both, in order."""
    session.add([Symbol("NYSE", "DIS")])
    session.remove([Symbol("NYSE", "DIS"), KO])
    session.add([KO])
    assert [
        MethodCall("quote_remove_symbols", ["qs_mine", "NYSE:KO"]),
        MethodCall("quote_add_symbols", ["qs_mine", "NYSE:KO"]),
        MethodCall("quote_fast_symbols", ["qs_mine", "NYSE:IBM", "NYSE:KO"]),
    ] == calls(session)


def test_other_calls(session: QuoteSession) -> None:
    """A renewed token is sent; hibernation stops all updates."""
    session.authorize("renewed")
    session.hibernate()
    assert [
        MethodCall("set_auth_token", ["renewed"]),
        MethodCall("quote_hibernate_all", ["qs_mine"]),
    ] == calls(session)


def test_dividends_are_reported_once_they_are_named(session: QuoteSession) -> None:
    """An update of a part is merged with what came before; other updates report none."""
    first = session.receive(qsd(KO, lp=1.0, dividend_ex_date_recent=1_794_960_000), NOW)
    assert {"NYSE:KO": Report((Dividend(date(2026, 11, 18)),))} == first.reports
    assert {} == session.receive(qsd(KO, lp=2.0), NOW).reports
    paid = session.receive(qsd(KO, dividend_amount_recent=0.26), NOW)
    assert {"NYSE:KO": Report((Dividend(date(2026, 11, 18), 0.26),))} == paid.reports
    session.remove([KO])
    session.add([KO])
    again = session.receive(qsd(KO, dividend_amount_recent=0.26), NOW)
    assert {"NYSE:KO": Report()} == again.reports


def test_quotes_and_ticks(session: QuoteSession) -> None:
    """A symbol's first quote reports its delay; later quotes are merged; trades become ticks."""
    first = session.receive(
        qsd(KO, lp=60.0, lp_time=NOW - 5, volume=100, update_mode="delayed_streaming_900")
        + completed(KO)
        + qsd(IBM, lp=190.0)
        + qsd(KO, lp=60.5, volume=107.5, lp_time=1_700_000_000),
        NOW,
    )
    assert [FeedDelay("NYSE:KO", 900), FeedDelay("NYSE:IBM", 0)] == first.delays
    assert [
        Tick("NYSE:KO", 1_699_999_995, 60.0, 0),
        Tick("NYSE:IBM", 1_700_000_000, 190.0, None),
        Tick("NYSE:KO", 1_700_000_000, 60.5, first.ticks[2].size),
    ] == first.ticks
    assert 7.5 == first.ticks[2].size
    assert frozenset({"NYSE:IBM"}) == session.awaited
    assert Received() == session.receive(qsd(KO, bid=60.4), NOW)


def test_the_last_quote_of_a_session_is_received(session: QuoteSession) -> None:
    """It comes once, with the text that ends the session."""
    session.receive(qsd(KO, lp=60.0, lp_time=1, current_session="market"), NOW)
    received = session.receive(qsd(KO, current_session="out_of_session") + qsd(KO, bid=1.0), NOW)
    assert [("market", 60.0)] == [
        (each.current_session, each.last_price) for each in received.ended
    ]
    assert [] == session.receive(qsd(KO, bid=2.0), NOW).ended


def test_a_quote_that_has_become_whole_counts_as_changed(session: QuoteSession) -> None:
    """No change of it is missing from then on."""
    session.receive(qsd(KO, lp=60.0), NOW)
    assert 1 == len(session.changed())
    session.receive(completed(KO) + completed(IBM), NOW)
    assert ["NYSE:KO"] == [quote.symbol for quote in session.changed()]
    assert frozenset() == session.awaited


def test_changed_quotes(session: QuoteSession) -> None:
    """A changed quote is returned once, in its latest state."""
    session.receive(qsd(KO, lp=60.0, lp_time=1, volume=1e100) + qsd(KO, bid=59.0, ch=1.0), NOW)
    expected = Quote("NYSE:KO", time=1, last_price=60.0, bid=59.0, change=1.0)
    assert [expected] == session.changed()
    assert [] == session.changed()
    session.receive(qsd(IBM, ask=191.0), NOW)
    assert [Quote("NYSE:IBM", ask=191.0)] == session.changed()
    assert [expected, Quote("NYSE:IBM", ask=191.0)] == session.quotes()


def test_a_delay_that_changes(session: QuoteSession) -> None:
    """A symbol's delay is reported again when it changes."""
    session.receive(qsd(KO, lp=60.0, update_mode="streaming"), NOW)
    again = session.receive(qsd(KO, update_mode="delayed_streaming_900"), NOW)
    assert Received(delays=[FeedDelay("NYSE:KO", 900)]) == again


def test_whether_a_market_is_open(session: QuoteSession) -> None:
    """A session has an open market if any of its symbols does."""
    session.receive(qsd(KO, current_session="out_of_session"), NOW)
    assert session.open_market is None
    session.receive(qsd(IBM, current_session="market"), NOW)
    assert "NYSE:IBM" == session.open_market


def test_refused_symbols(session: QuoteSession) -> None:
    """An unknown or forbidden symbol is reported and dropped; the session goes on."""
    session.add([Symbol("NYSE", "DIS")])
    received = session.receive(
        qsd(KO, "error", errmsg="no_such_symbol")
        + completed(KO)
        + qsd(IBM, "permission_denied", alternative="group")
        + qsd("NYSE:DIS", lp=100.0),
        NOW,
    )
    assert [("NYSE:KO", UnknownSymbol), ("NYSE:IBM", NoPermission)] == errors_of(received)
    assert "TradingView on NYSE:KO: no_such_symbol" == str(received.refused[0].error)
    assert [FeedDelay("NYSE:DIS", 0)] == received.delays
    assert ("NYSE:DIS",) == session.symbols
    assert not session.is_over


def test_a_symbol_that_is_refused_later(session: QuoteSession) -> None:
    """A symbol that is refused after it had quotes is forgotten."""
    session.receive(qsd(KO, lp=60.0), NOW)
    received = session.receive(qsd(KO, "error", errmsg="gone"), NOW)
    assert [("NYSE:KO", ProviderFault)] == errors_of(received)
    assert ([], []) == (session.changed(), session.quotes())


def test_an_unreadable_quote(session: QuoteSession) -> None:
    """An unreadable quote is dropped and reported; other symbols and later quotes go on."""
    received = session.receive(
        qsd(KO, lp=60.0, lp_time=1, volume="many")
        + qsd(IBM, lp=190.0, lp_time=2)
        + qsd(KO, lp=61.0, lp_time=3),
        NOW,
    )
    (dropped,) = received.dropped
    assert ("NYSE:KO", True) == (dropped.symbol, "v.volume" in dropped.fault)
    assert [("NYSE:IBM", 2), ("NYSE:KO", 3)] == [tick[:2] for tick in received.ticks]
    assert not session.is_over


def test_unreadable_quotes_of_others(session: QuoteSession) -> None:
    """Unreadable quotes of others are ignored; one without a name is reported."""
    received = session.receive(
        qsd(KO, session="qs_other", lp="text")
        + event("qsd", [None, {"n": "NYSE:KO", "s": "ok", "v": 7}], None)
        + event("quote_completed", ["qs_mine", None], None)
        + qsd("NYSE:DIS", lp="text")
        + event("qsd", ["qs_mine", {"n": None, "s": "ok", "v": {}}], None),
        NOW,
    )
    (dropped,) = received.dropped
    assert DroppedQuote("", dropped.fault) == dropped
    assert not session.is_over


def test_a_symbol_with_unreadable_quotes(session: QuoteSession) -> None:
    """A symbol with ten unreadable quotes within an hour is refused with the reason and removed."""
    bad = qsd(KO, lp=60.0, volume="many")
    for number in range(MOST_UNREADABLE):
        assert [] == session.receive(bad, NOW + 3600 * number).refused
    later = NOW + 3600 * MOST_UNREADABLE
    for number in range(MOST_UNREADABLE - 1):
        assert [] == session.receive(bad, later + number).refused
    (refused,) = session.receive(bad, later + 60).refused
    assert ("NYSE:KO", ProtocolViolation) == (refused.symbol, type(refused.error))
    assert "10 quotes could not be read" in str(refused.error)
    assert "v.volume" in str(refused.error)
    assert [
        MethodCall("quote_remove_symbols", ["qs_mine", "NYSE:KO"]),
        MethodCall("quote_fast_symbols", ["qs_mine", "NYSE:IBM"]),
    ] == calls(session)
    assert Received() == session.receive(bad, later + 70)
    assert [1] == [len(session.receive(qsd(IBM, lp=1.0), later + 80).ticks)]


def test_captured_refusals(wire: Path) -> None:
    """A captured refusal refuses the symbol under the name it was added by."""
    session = QuoteSession("qs_afcyponiwryy", "token")
    session.add([Symbol.parse("FOREX:EURUSD")])
    payload = (wire / "qsd_error_no_such_symbol_payload.txt").read_text()
    assert [("FOREX:EURUSD", UnknownSymbol)] == errors_of(session.receive(encode(payload), NOW))


@pytest.mark.parametrize(
    ("file", "name", "delay_seconds", "expected"),
    [
        ("qsd_aapl_original_name_bats", "NASDAQ:AAPL", 0, (1686355199, 180.96, 48899973)),
        ("qsd_index_volume_1e100", "NASDAQ:NDX", 900, (1686427872, 14528.3605, None)),
        ("qsd_spx_2023", "SP:SPX", 0, (1686341020, 4298.87, 2109000000)),
    ],
)
def test_captured_quotes_of_closed_markets(
    wire: Path, file: str, name: str, delay_seconds: int, expected: tuple[object, ...]
) -> None:
    """A quote outside the session is stored but makes no tick, nor does a later time alone."""
    session = QuoteSession("qs_PL4Mnuk8pRGP", "token")
    session.add([Symbol.parse(name)])
    received = session.receive((wire / f"{file}.txt").read_text(), NOW)
    assert Received(delays=[FeedDelay(name, delay_seconds)]) == received
    (quote,) = session.quotes()
    assert expected == (quote.time, quote.last_price, quote.day_volume)
    moved = qsd(name, session="qs_PL4Mnuk8pRGP", lp_time=1686440000, volume=50_000_000)
    assert Received() == session.receive(moved, NOW)


def test_a_captured_quote_of_an_open_market(wire: Path) -> None:
    """A captured trade makes one tick; an update of the time alone makes none."""
    session = QuoteSession("qs_PL4Mnuk8pRGP", "token")
    session.add([Symbol.parse("BITSTAMP:BTCUSD")])
    received = session.receive((wire / "qsd_btcusd_2023.txt").read_text(), NOW)
    assert [Tick("BITSTAMP:BTCUSD", 1686475585, 25753.0, 0)] == received.ticks
    alone = (wire / "qsd_lp_time_only_2019.txt").read_text()
    _, _, payload = alone.rpartition("~m~")
    of_this = payload.replace("XRPUSD", "BTCUSD").replace("qs_cC2wPCt1dRcI", "qs_PL4Mnuk8pRGP")
    assert Received() == session.receive(encode(of_this), NOW)


def test_the_day_of_a_captured_quote(wire: Path) -> None:
    """`open_time` and `market-status` name the day; a volume that falls within it starts none."""
    name, now = "NSE:JUNIPER", 1766031100.0
    session = QuoteSession("qs_mine", "token")
    session.add([Symbol.parse(name)])
    captured = json.loads((wire / "nse_quote_day_2025-12-18.json").read_text())
    session.receive(event("qsd", ["qs_mine", {"n": name, "s": "ok", "v": captured}], None), now)
    (quote,) = session.quotes()
    assert (1766016000, "20251218") == (quote.open_time, quote.trading_day)
    fallen = session.receive(qsd(name, lp_time=1766031090, volume=2000.0), now)
    assert [Tick(name, 1766031090, 253.42, 0)] == fallen.ticks
    assert [Doubt(name, 1766031028), Doubt(name, 1766031090)] == fallen.doubts
    next_day = {"market-status": {"phase": "regular", "tradingday": "20251219"}}
    begun = session.receive(qsd(name, volume=1900.0, lp_time=1766116000, **next_day), now + DAY)
    assert ([Tick(name, 1766116000, 253.42, 1900)], []) == (begun.ticks, begun.doubts)


def test_going_on_after_a_reconnect(session: QuoteSession) -> None:
    """The next session counts sizes from the known quotes, and reports each delay again."""
    session.receive(qsd(KO, lp=60.0, lp_time=1, volume=100) + qsd(IBM, lp=190.0), NOW)
    following = QuoteSession("qs_next", "token", session.quotes())
    following.add([KO, IBM])
    again = qsd(KO, session="qs_next", lp=60.0, lp_time=1, volume=100)
    assert Received(delays=[FeedDelay("NYSE:KO", 0)]) == following.receive(again, NOW)
    (tick,) = following.receive(qsd(KO, session="qs_next", lp_time=9, volume=130), NOW).ticks
    assert Tick("NYSE:KO", 9, 60.0, 30) == tick
    assert [(9, 60.0), (1_700_000_000, 190.0)] == [
        (quote.time, quote.last_price) for quote in following.quotes()
    ]


def test_a_removed_symbol_starts_anew(session: QuoteSession) -> None:
    """A symbol that was removed and added again starts without its old quote."""
    following = QuoteSession("qs_mine", "token", [Quote("NYSE:KO", 1, 60.0, day_volume=100.0)])
    following.add([KO])
    following.remove([KO])
    following.add([KO])
    (tick,) = following.receive(qsd(KO, lp=61.0, volume=500), NOW).ticks
    assert 0 == tick.size


@pytest.mark.parametrize(
    ("hello", "expected"),
    [
        ({"timestamp": 1742933763, "timestampMs": 1742933763175}, 1742933763.175),
        ({"timestamp": 1742933763}, 1742933763.0),
        ({"session_id": "x"}, None),
    ],
)
def test_the_time_of_the_hello(
    session: QuoteSession, hello: dict[str, object], expected: float | None
) -> None:
    """The time of the hello is returned once."""
    session.receive(encode(json.dumps(hello)), NOW)
    assert [expected, None] == [session.greeted_at(), session.greeted_at()]


def test_heartbeats_are_echoed(session: QuoteSession) -> None:
    """A heartbeat is sent back unchanged, also from between other frames."""
    session.receive(qsd(KO, lp=1.0) + encode("~h~7") + completed(KO), NOW)
    assert [encode("~h~7")] == session.outgoing()


def test_messages_about_others_are_ignored(session: QuoteSession) -> None:
    """The hello, messages of other sessions and symbols, and unknown kinds change nothing."""
    texts = (
        encode(json.dumps({"session_id": "x", "timestamp": 1})),
        qsd(KO, session="qs_other", lp=1.0),
        qsd("NYSE:DIS", lp=1.0),
        completed(KO, session="qs_other"),
        event("critical_error", ["qs_other", "invalid_parameters", "quote_add_symbols"], None),
        event("series_loading", ["cs", "s1", "s1"], None),
        event("brand_new", [], None),
    )
    assert [Received()] * len(texts) == [session.receive(text, NOW) for text in texts]
    assert ([], False, 2) == (session.outgoing(), session.is_over, len(session.awaited))


def test_split_texts(session: QuoteSession) -> None:
    """A text split in two gives the same ticks."""
    text = qsd(KO, lp=60.0, lp_time=1)
    assert Received() == session.receive(text[:30], NOW)
    assert [Tick("NYSE:KO", 1, 60.0, None)] == session.receive(text[30:], NOW).ticks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (event("critical_error", ["qs_mine", "invalid_parameters", "x"], None), ProviderFault),
        (event("protocol_error", ["bad auth token"], None), BadToken),
        ("no frame", ProtocolViolation),
        (encode("no message"), ProtocolViolation),
    ],
)
def test_errors_that_end_a_session(
    session: QuoteSession, text: str, expected: type[PocketQuantError]
) -> None:
    """An error of the session or the connection ends it; earlier quotes stay known."""
    before, after = qsd(KO, lp=60.0, lp_time=1), qsd(KO, lp=61.0, lp_time=2)
    session.receive(before, NOW)
    session.receive(text + after, NOW)
    assert session.is_over
    assert expected is type(session.error)
    assert Received() == session.receive(after, NOW)
    assert [60.0] == [quote.last_price for quote in session.quotes()]


def test_the_first_error_counts(session: QuoteSession) -> None:
    """The error that ended the session is not replaced by a later one."""
    session.receive(event("protocol_error", ["bad auth token"], None), NOW)
    session.receive("no frame", NOW)
    assert BadToken is type(session.error)


def test_requesting_a_symbol_again(session: QuoteSession) -> None:
    """The symbol is removed and added but stays known, so that a repeated quote makes no tick."""
    session.receive(qsd(KO, lp=60.0, lp_time=NOW // 1, volume=7.0), NOW)
    session.ask_again("NYSE:KO")
    assert [
        MethodCall("quote_remove_symbols", ["qs_mine", "NYSE:KO"]),
        MethodCall("quote_add_symbols", ["qs_mine", "NYSE:KO"]),
        MethodCall("quote_fast_symbols", ["qs_mine", "NYSE:KO", "NYSE:IBM"]),
    ] == calls(session)
    again = session.receive(qsd(KO, lp=60.0, lp_time=NOW // 1, volume=7.0), NOW + 20)
    assert Received() == again
    assert [60.0] == [quote.last_price for quote in session.changed()]
