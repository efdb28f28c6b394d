"""HistorySession turns the messages about one series into its bars or the right error."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pocketquant.domain.bars import Bars, Refusal
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.errors import (
    BadToken,
    NoPermission,
    PocketQuantError,
    ProtocolViolation,
    ProviderFault,
    RateLimited,
    UnknownSymbol,
    UnsupportedInterval,
)
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import FormingBar, SyncRequest
from pocketquant.tradingview.frames import encode
from pocketquant.tradingview.history import HistorySession
from pocketquant.tradingview.messages import event

NOW = 1_700_000_400
BAR_1 = [NOW - 180.0, 10.0, 12.0, 9.0, 11.0, 100.0]
BAR_2 = [NOW - 120.0, 11.0, 13.0, 10.0, 12.0, 200.0]
BAR_3 = [NOW - 60.0, 12.0, 14.0, 11.0, 13.0, 300.0]
NAN = float("nan")

Values = Sequence[float | None]


@pytest.fixture
def session() -> HistorySession:
    """A session of one request, with the ids that tvdatafeed uses."""
    return HistorySession(SyncRequest(Series.parse("NASDAQ:AAPL|1m"), 100), "cs_mine")


def update(
    *bars: Values,
    close: float | None = None,
    session: str = "cs_mine",
    series: str = "s1",
    turnaround: str | None = "s1",
    now: int | None = NOW,
) -> str:
    """Return a timescale update with these bars."""
    block: dict[str, object] = {"s": [{"i": i, "v": v} for i, v in enumerate(bars)]}
    if turnaround is not None:
        block["t"] = turnaround
    if close is not None:
        block["lbs"] = {"bar_close_time": close}
    time_ms = None if now is None else now * 1000
    return event("timescale_update", [session, {series: block}, {"index": 0}], time_ms)


def du(*bars: Values, close: float | None = None) -> str:
    """Return a data update with these bars."""
    block = {"s": [{"i": 0, "v": v} for v in bars], "t": "s1", "lbs": {"bar_close_time": close}}
    return event("du", ["cs_mine", {"s1": block}], None)


def resolved(symbol: str = "symbol_1", **known: str | None) -> str:
    """Return the server's description of a symbol."""
    return event("symbol_resolved", ["cs_mine", symbol, known], NOW * 1000)


def completed(
    session: str = "cs_mine", series: str = "s1", turnaround: str = "s1", mode: str = "streaming"
) -> str:
    """Return the end of a series."""
    return event("series_completed", [session, series, mode, turnaround, {}], NOW * 1000)


def closed(session: HistorySession) -> list[list[float]]:
    """Return the closed bars of the result, row by row."""
    return session.result().closed.columns.T.tolist()


def test_a_complete_answer(session: HistorySession) -> None:
    """The result has closed bars, the forming bar, and the listing under the requested symbol."""
    for text in (
        encode(json.dumps({"session_id": "x", "timestamp": NOW - 1})),
        event("series_loading", ["cs_mine", "s1", "s1"], NOW * 1000),
        resolved(
            full_name="BATS:AAPL",
            description="Apple Inc.",
            type="stock",
            currency_code="USD",
            timezone="America/New_York",
            session="0930-1600",
            visible_plots_set="ohlcv",
        ),
        update(BAR_1, BAR_2, BAR_3, close=NOW),
        event("tickmark_update", ["cs_mine", {}], None),
    ):
        session.receive(text)
        assert not session.is_over
    session.receive(completed())
    assert session.is_over
    history = session.result()
    assert Bars(np.array([BAR_1, BAR_2]).T) == history.closed
    assert FormingBar(NOW - 60, NOW, 12.0, 14.0, 11.0, 13.0, 300.0, as_of=NOW) == history.forming
    assert (3, Counter()) == (history.fetched, history.refused)
    assert history.listing == Listing(
        Symbol("NASDAQ", "AAPL"),
        description="Apple Inc.",
        type="stock",
        currency="USD",
        timezone="America/New_York",
        session="0930-1600",
        full_name="BATS:AAPL",
        delay_seconds=0,
        hours=CalendarTexts("America/New_York", "0930-1600"),
    )


def test_captured_bars(wire: Path) -> None:
    """A captured answer gives 368 daily bars, the newest of which closed the evening before."""
    request = SyncRequest(Series.parse("SP:SPX|1d"))
    session = HistorySession(request, "cs_HkkyfdFBmlYf", "sds_7", "s1", "sds_sym_7")
    for name in (
        "symbol_resolved_index_spx",
        "series_timeframe_12M_false_then_true",
        "timescale_update_daily_index_with_volume",
    ):
        session.receive((wire / f"{name}.txt").read_text())
    session.receive(completed("cs_HkkyfdFBmlYf", "sds_7", mode="delayed_streaming_900"))
    history = session.result()
    assert (368, 1640183400, 1686317400) == (
        len(history.closed),
        history.closed.first_time,
        history.closed.last_time,
    )
    assert (None, Counter()) == (history.forming, history.refused)
    assert history.listing is not None
    assert ("S&P 500", "index", True) == (
        history.listing.description,
        history.listing.type,
        history.listing.has_volume,
    )


def test_messages_in_one_text_split_anywhere(session: HistorySession) -> None:
    """The result does not depend on how the server groups its messages."""
    text = resolved() + update(BAR_1, BAR_2, close=NOW - 60) + encode("~h~1") + completed()
    for start in range(0, len(text), 7):
        session.receive(text[start : start + 7])
    assert [BAR_1, BAR_2] == closed(session)
    assert [encode("~h~1")] == session.outgoing()


def test_heartbeats_are_echoed_once(session: HistorySession) -> None:
    """Each heartbeat is sent back unchanged, between any other messages."""
    session.receive(encode("~h~1") + resolved() + encode("~h~2"))
    assert [encode("~h~1"), encode("~h~2")] == session.outgoing()
    assert [] == session.outgoing()


def test_never_traded(session: HistorySession) -> None:
    """A listing that never traded completes without bars and without an error."""
    session.receive(completed())
    history = session.result()
    assert (0, None, 0) == (len(history.closed), history.forming, history.fetched)


def test_never_traded_after_hours(session: HistorySession) -> None:
    """A listing that never traded completes without bars after an empty update too."""
    session.receive(update() + completed())
    assert [] == closed(session)


def test_later_updates_win(session: HistorySession) -> None:
    """Updates are merged by time; a later value of a bar replaces an earlier one."""
    session.receive(update(BAR_2, BAR_3, close=NOW))
    session.receive(update(BAR_1))
    session.receive(du([*BAR_3[:4], 12.5, 301.0], close=NOW))
    session.receive(completed())
    assert [BAR_1, BAR_2] == closed(session)
    forming = session.result().forming
    assert forming is not None
    assert (12.5, 301.0) == (forming.close, forming.volume)


def test_an_empty_update_discards_bars(session: HistorySession) -> None:
    """A timescale update without bars discards earlier bars and their close time."""
    session.receive(update(BAR_1, BAR_2, close=NOW - 30))
    session.receive(update())
    session.receive(update([*BAR_1[:5]]))
    session.receive(completed())
    history = session.result()
    assert history.forming is not None
    assert (0, NOW - 180, None) == (
        len(history.closed),
        history.forming.time,
        history.forming.volume,
    )


def test_an_empty_data_update_discards_no_bars(session: HistorySession) -> None:
    """A data update without bars, or a block without a list of bars, changes nothing."""
    session.receive(update(BAR_1, BAR_2, close=NOW - 60))
    session.receive(event("du", ["cs_mine", {"s1": {"t": "s1", "ns": {}}}], None))
    session.receive(event("du", ["cs_mine", {"s1": {"s": [], "t": "s1"}}], None))
    session.receive(completed())
    assert [BAR_1, BAR_2] == closed(session)


def test_messages_about_others_are_ignored(session: HistorySession) -> None:
    """Messages of other sessions, series, symbols and turnarounds add no bars and end nothing."""
    other = [9.0] * 6
    for text in (
        update(other, session="cs_other"),
        update(other, series="s2"),
        update(other, turnaround="s0"),
        event("timescale_update", ["cs_mine", {}, {}], None),
        completed(session="cs_other"),
        completed(series="s2"),
        completed(turnaround="s0"),
        event("symbol_error", ["cs_mine", "symbol_2", "invalid symbol"], None),
        event("symbol_error", ["cs_other", "symbol_1", "invalid symbol"], None),
        event("series_error", ["cs_mine", "s1", "s0", "resolve error"], None),
        event("critical_error", ["qs_mine", "invalid_parameters", "quote_add_symbols"], None),
        resolved("symbol_2", description="another"),
    ):
        session.receive(text)
        assert not session.is_over
    session.receive(update(BAR_1, turnaround=None, close=NOW - 120) + completed())
    assert [BAR_1] == closed(session)
    assert session.result().listing is None


def test_later_messages_are_ignored(session: HistorySession) -> None:
    """Messages after the end are ignored, in the same text or another, even if invalid."""
    session.receive(update(BAR_1, close=NOW - 120) + completed() + update(BAR_2))
    session.receive(update(BAR_3) + "nonsense")
    assert [BAR_1] == closed(session)


@pytest.mark.parametrize(
    ("close_time", "mode", "now", "is_closed"),
    [
        (NOW - 30, "streaming", NOW, True),
        (NOW, "streaming", NOW + 1, True),
        (NOW, "streaming", NOW, False),
        (NOW + 60, "streaming", NOW, False),
        (NOW - 1, "streaming", NOW, False),
        (NOW - 1, "streaming", NOW + 1, True),
        (None, "streaming", NOW, False),
        (NOW - 60, "streaming", NOW, False),
        (NOW - 30, "streaming", None, False),
        (NOW - 30, "delayed_streaming_900", NOW, False),
        (NOW - 30, "delayed_streaming_900", NOW + 900, True),
        (NOW - 30, "endofday", NOW, True),
    ],
)
def test_the_newest_bar(
    session: HistorySession, close_time: int | None, mode: str, now: int | None, is_closed: bool
) -> None:
    """The newest bar is forming until the feed's time, less its delay, is past its close."""
    session.receive(update(BAR_2, BAR_3, close=close_time, now=now) + completed(mode=mode))
    expected = [BAR_2, BAR_3] if is_closed else [BAR_2]
    assert expected == closed(session)


def test_the_clock_of_the_hello(session: HistorySession) -> None:
    """If an update has no time, the hello's time counts as the server's."""
    session.receive(encode(json.dumps({"session_id": "x", "timestamp": NOW})))
    session.receive(update(BAR_2, BAR_3, close=NOW - 30, now=None) + completed())
    assert [BAR_2, BAR_3] == closed(session)


def test_the_close_of_an_older_bar(session: HistorySession) -> None:
    """A close time that is not after the newest bar's open belongs to an older bar."""
    session.receive(update(BAR_1, BAR_2, close=NOW - 60) + update(BAR_3) + completed())
    assert [BAR_1, BAR_2] == closed(session)


def test_a_removed_close_time(session: HistorySession) -> None:
    """If the last update of the newest bar has no close time, the bar counts as forming."""
    session.receive(update(BAR_2, BAR_3, close=NOW - 30) + du(BAR_3, close=None) + completed())
    assert [BAR_2] == closed(session)


def test_the_last_bar_of_a_session(session: HistorySession) -> None:
    """The last bar of a session announces its close a second early; the result has the true end."""
    session.receive(update(BAR_3, close=NOW - 1) + completed())
    forming = session.result().forming
    assert forming is not None
    assert NOW == forming.close_time


def test_the_nominal_close_of_a_forming_bar(session: HistorySession) -> None:
    """A forming bar without a close time closes at the end of its period."""
    session.receive(update(BAR_3) + completed())
    forming = session.result().forming
    assert forming is not None
    assert NOW // 60 * 60 == forming.close_time


def test_bars_without_volume(session: HistorySession) -> None:
    """A symbol whose bars have five values has no volume."""
    session.receive(resolved(visible_plots_set="ohlc"))
    session.receive(update(BAR_1[:5], BAR_2[:5]) + completed())
    history = session.result()
    assert np.isnan(history.closed.volume).all()
    assert history.forming is not None
    assert history.listing is not None
    assert (None, False) == (history.forming.volume, history.listing.has_volume)


def test_volume_of_a_listing_without_volume(session: HistorySession) -> None:
    """If the listing has no volume, the sixth value of bars is ignored."""
    session.receive(resolved(visible_plots_set="ohlc"))
    session.receive(update(BAR_1, BAR_2) + completed())
    assert np.isnan(session.result().closed.volume).all()


def test_a_bar_that_lacks_its_volume(session: HistorySession) -> None:
    """A bar without volume among bars with volume is refused, in any update."""
    session.receive(update(BAR_1[:5]) + update(BAR_2, BAR_3) + completed())
    assert [BAR_2] == closed(session)
    assert Counter({Refusal.NOT_FINITE: 1}) == session.result().refused


def test_refused_bars(session: HistorySession) -> None:
    """Invalid bars are counted by reason, in the order sent; the valid ones stay."""
    bad: list[Values] = [
        [NOW - 170.0, None, 12.0, 9.0, 11.0, 1.0],
        [NOW - 160.0, 10.0, 8.0, 9.0, 10.0, 1.0],
        [NOW - 150.0, 10.0, 12.0, 9.0, 11.0, -1.0],
        BAR_1,
        [NOW - 200.0, 10.0, 12.0, 9.0, 11.0, 1.0],
    ]
    session.receive(update(BAR_1, *bad, BAR_2, BAR_3) + completed())
    history = session.result()
    assert [BAR_1, BAR_2] == closed(session)
    assert (
        Counter(
            {
                Refusal.NOT_FINITE: 1,
                Refusal.INCONSISTENT: 1,
                Refusal.NEGATIVE_VOLUME: 1,
                Refusal.REPEATED_TIME: 1,
                Refusal.OUT_OF_ORDER: 1,
            }
        )
        == history.refused
    )
    assert 8 == history.fetched


def test_the_bar_before_a_refused_one(session: HistorySession) -> None:
    """The bar before a refused newest bar is closed."""
    session.receive(update(BAR_1, BAR_2, [BAR_3[0], *[None] * 5], close=NOW) + completed())
    assert [BAR_1, BAR_2] == closed(session)
    assert session.result().forming is None


def test_the_bar_before_one_without_time(session: HistorySession) -> None:
    """A refused bar without a valid time does not prove that the bar before it closed."""
    session.receive(update(BAR_1, BAR_2, [None, *BAR_3[1:]], close=NOW) + completed())
    assert [BAR_1] == closed(session)


def test_bars_of_the_future(session: HistorySession) -> None:
    """Bars that open in the future are refused, and do not make the forming bar count as closed."""
    forming = [NOW - 20.0, *BAR_3[1:]]
    future = [[NOW + 40.0, *BAR_3[1:]], [NOW + 8 * 3600.0, *BAR_3[1:]]]
    session.receive(update(BAR_1, BAR_2, forming, *future, close=NOW + 9 * 3600) + completed())
    history = session.result()
    assert [BAR_1, BAR_2] == closed(session)
    assert Counter({Refusal.IN_FUTURE: 2}) == history.refused
    assert history.forming is not None
    assert (NOW - 20, NOW // 60 * 60) == (history.forming.time, history.forming.close_time)


def test_a_bar_that_opens_this_second(session: HistorySession) -> None:
    """A bar that opens at the server's current second is the forming bar."""
    session.receive(update(BAR_3, [NOW + 0.0, *BAR_3[1:]], close=NOW + 60) + completed())
    forming = session.result().forming
    assert forming is not None
    assert ([BAR_3], NOW) == (closed(session), forming.time)


def test_bars_without_a_server_time(session: HistorySession) -> None:
    """If the server sends no time, no bar counts as in the future."""
    session.receive(update(BAR_1, [NOW + 4e9, *BAR_3[1:]], now=None) + completed())
    assert [BAR_1] == closed(session)


@pytest.mark.parametrize("close", [9e18, 1e100, -9e18])
def test_an_invalid_close_time(session: HistorySession, close: float) -> None:
    """An invalid close time ends the session with an error that names the series and the value."""
    session.receive(update(BAR_1, BAR_2, close=close) + completed())
    with pytest.raises(ProtocolViolation, match=r"NASDAQ:AAPL\|1m: .*bar_close_time is"):
        session.result()


def test_the_number_for_no_volume(session: HistorySession) -> None:
    """The volume 1e+100 means none, for a whole symbol and for one bar."""
    none = [[*BAR_1[:5], 1e100], [*BAR_2[:5], 1e100]]
    session.receive(update(*none, BAR_3[:5], close=NOW - 60) + completed())
    history = session.result()
    assert (2, Counter()) == (len(history.closed), history.refused)
    assert np.isnan(history.closed.volume).all()


def test_a_bar_with_the_number_for_no_value(session: HistorySession) -> None:
    """Among bars with volume, a bar with the volume or a price of 1e+100 is refused."""
    none = [[*BAR_1[:5], 1e100], [BAR_2[0], 1e100, 1e100, 1e100, 1e100, 5.0]]
    session.receive(update(*none, BAR_3, close=NOW - 30) + completed())
    assert [BAR_3] == closed(session)
    assert Counter({Refusal.NOT_FINITE: 2}) == session.result().refused


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("symbol_error", ["cs_mine", "symbol_1", "invalid symbol"], UnknownSymbol),
        (
            "symbol_error",
            ["cs_mine", "symbol_1", "permission denied", "group", "economics_paid"],
            NoPermission,
        ),
        ("symbol_error", ["cs_mine", "symbol_1", "something new"], ProviderFault),
        ("series_error", ["cs_mine", "s1", "s1", "resolve error", "pod@pod"], ProviderFault),
        (
            "series_error",
            ["cs_mine", "s1", "s1", "unsupported resolution: INDEX:NDFI, 5", "pod"],
            UnsupportedInterval,
        ),
        ("series_error", ["cs_mine", "s1", "s1", "custom_resolution", "-"], UnsupportedInterval),
        ("series_error", ["cs_mine", "s1", "s1", "seconds_not_entitled"], UnsupportedInterval),
        ("series_error", ["cs_mine", "s1", "s1", "ticks_not_entitled"], UnsupportedInterval),
        ("series_error", ["cs_mine", "s1", "s1", "resolution_not_entitled"], UnsupportedInterval),
        (
            "series_error",
            ["cs_mine", "s1", "s1", "study_not_auth:BarSetRenko"],
            UnsupportedInterval,
        ),
        ("critical_error", ["cs_mine", "invalid parameters", "method: x"], ProviderFault),
        ("critical_error", ["cs_mine", "duplicate id"], ProviderFault),
        ("critical_error", ["cs_mine", "max sessions rate reached", ""], RateLimited),
        ("critical_error", ["cs_mine", "exceed limit of series in the session"], RateLimited),
        ("protocol_error", ["bad auth token"], BadToken),
        ("protocol_error", ["user connections limit reached"], RateLimited),
        ("protocol_error", ["banned by ip"], RateLimited),
        ("protocol_error", ["{unknown_session_id,<<>>}"], ProviderFault),
    ],
)
def test_errors(
    session: HistorySession, method: str, params: list[str], expected: type[PocketQuantError]
) -> None:
    """Each error of the server ends the session with the matching error class."""
    session.receive(event(method, params, None))
    assert session.is_over
    with pytest.raises(expected, match=r"NASDAQ:AAPL\|1m") as raised:
        session.result()
    assert expected is type(raised.value)


@pytest.mark.parametrize(
    ("text", "ends_connection", "leaves_it_usable"),
    [
        (completed(), False, True),
        (completed() + "~m~99~m~{", False, False),
        (event("symbol_error", ["cs_mine", "symbol_1", "invalid symbol"], None), False, True),
        (event("series_error", ["cs_mine", "s1", "s1", "resolve error"], None), False, False),
        (event("critical_error", ["cs_mine", "invalid parameters", ""], None), False, False),
        (event("protocol_error", ["{unknown_session_id,<<>>}"], None), True, False),
        ("no frame", True, False),
        (encode("no message"), True, False),
    ],
)
def test_the_connection_after_an_answer(
    session: HistorySession, text: str, ends_connection: bool, leaves_it_usable: bool
) -> None:
    """Some errors are the connection's; it serves others after an answer about the symbol."""
    session.receive(text)
    assert session.is_over
    assert (ends_connection, leaves_it_usable) == (
        session.ends_connection,
        session.leaves_connection_usable,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("protocol_error_bad_auth_token", BadToken),
        ("protocol_error_unknown_session_payload", ProviderFault),
        ("errors_mixed_critical_symbol_series", UnknownSymbol),
        ("permission_denied_sequence_2026-09", NoPermission),
    ],
)
def test_captured_errors(wire: Path, name: str, expected: type[PocketQuantError]) -> None:
    """Captured errors of the real server give the error of the first one about the series."""
    text = (wire / f"{name}.txt").read_text()
    ids = {"errors": ("cs_vtnztfvikwom", "s1", "s1", "symbol_1")}.get(
        name.partition("_")[0], ("cs_test", "sds_1", "s1", "sds_sym_1")
    )
    session = HistorySession(SyncRequest(Series.parse("NASDAQ:AAPL|1m")), *ids)
    session.receive(text if text.startswith("~m~") else "".join(map(encode, text.splitlines())))
    with pytest.raises(expected):
        session.result()


def test_a_refused_token_says_what_to_do(session: HistorySession) -> None:
    """The error of a refused token names the setting to change."""
    session.receive(event("protocol_error", ["bad auth token"], None))
    with pytest.raises(BadToken, match="set TRADINGVIEW_TOKEN"):
        session.result()


def test_long_reasons_are_shortened(session: HistorySession) -> None:
    """A long reason of the server is shortened in the error."""
    session.receive(event("protocol_error", ["x" * 100_000], None))
    with pytest.raises(ProviderFault) as raised:
        session.result()
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("text", ["nonsense", encode("{"), "~m~2~m~~h~1"])
def test_invalid_text(session: HistorySession, text: str) -> None:
    """Text that is no frame or no message ends the session with an error."""
    session.receive(text)
    with pytest.raises(ProtocolViolation):
        session.result()


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("du", ["cs_mine", {"s1": {"s": [{"v": ["1.0", 2, 3, 1, 2]}]}}], "$.s[0].v[0]"),
        ("timescale_update", ["cs_mine", {"s1": {"s": [], "lbs": "soon"}}, {}], "$.lbs"),
        ("timescale_update", ["cs_mine", [], {}], "$[1]"),
        ("series_completed", ["cs_mine", "s1", 900, "s1", {}], "$[2]"),
        ("symbol_resolved", ["cs_mine", "symbol_1", {"visible_plots_set": 5}], "visible_plots"),
    ],
)
def test_needed_values_that_cannot_be_read(
    session: HistorySession, method: str, params: list[object], field: str
) -> None:
    """An unreadable needed value ends the session; the error names the series and the field."""
    session.receive(event(method, params, None))
    with pytest.raises(ProtocolViolation, match=r"NASDAQ:AAPL\|1m: .*cannot be read") as raised:
        session.result()
    assert field in str(raised.value)


def test_unreadable_messages_of_others(session: HistorySession) -> None:
    """Messages of other sessions, series, symbols and studies may hold anything."""
    bad = {"s": [{"v": ["text"]}]}
    for text in (
        encode(json.dumps({"session_id": None, "via": None, "release": 7, "timestamp": "x"})),
        event("du", ["cs_other", {"s1": bad}], None),
        event("du", ["cs_mine", {"st1": bad}], None),
        event("timescale_update", ["cs_mine", {"st1": bad, "s1": {"s": [{"v": BAR_1}]}}], None),
        event("series_completed", ["cs_mine", "s2", 7, "s1"], None),
        event("symbol_resolved", ["cs_mine", "symbol_2", {"visible_plots_set": 7}], None),
        event("qsd", ["qs_mine", {"n": "A:B", "s": "ok", "v": {"lp": "text"}}], None),
        event("qsd", [], None),
        event("critical_error", [7, None], None),
        event("du", {"p": 1}, None),
    ):
        session.receive(text)
        assert not session.is_over
    session.receive(update(BAR_2, now=None) + completed())
    assert [BAR_1] == closed(session)


def test_too_many_bars(session: HistorySession) -> None:
    """A server that sends too many bars ends the session with an error."""
    values = np.column_stack([np.arange(60_000.0), *[np.ones(60_000)] * 5]).tolist()
    session.receive(update(*values))
    assert not session.is_over
    session.receive(update(*values))
    with pytest.raises(ProtocolViolation, match="more than 100000 bars"):
        session.result()


def test_no_result_before_the_end(session: HistorySession) -> None:
    """The result raises an error before the session is over."""
    session.receive(update(BAR_1))
    with pytest.raises(RuntimeError, match="not over"):
        session.result()
