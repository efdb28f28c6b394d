"""ChartSession reads a series page by page, whatever lies between, and says why it stops."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pocketquant.domain.errors import (
    BadToken,
    PocketQuantError,
    ProtocolViolation,
    ProviderFault,
    ProviderTimeout,
    UnknownSymbol,
)
from pocketquant.domain.events import Dividend
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import Page, Stop, SyncRequest
from pocketquant.tradingview.chart_session import ChartSession
from pocketquant.tradingview.frames import FrameDecoder, encode
from pocketquant.tradingview.messages import MethodCall, event, read_call

NOW = 1_700_000_400
HOUR = 3600
MINE, QUOTES = "cs_mine", "qs_mine"
IDS = (MINE, "s1", "s1")
FIELDS = (
    *("first_bar_time_1d", "first_bar_time_1m", "dividend_amount_recent"),
    *("dividend_ex_date_recent", "dividend_ex_date_upcoming", "prev-daily-bar"),
)


def chart(
    series: str = "NASDAQ:AAPL|1h",
    start: int = 0,
    end: int | None = None,
    oldest: int | None = None,
    deadline: float = 10.0,
) -> ChartSession:
    """Return a session whose first page is awaited."""
    request = SyncRequest(Series.parse(series), start=start, end=end)
    return ChartSession(request, "token", "mine", deadline, NOW, oldest)


def calls(session: ChartSession) -> list[MethodCall]:
    """Return the calls that the session sends now."""
    payloads = (FrameDecoder().feed(text) for text in session.outgoing())
    return [read_call(payload) for (payload,) in payloads]


def bar(time: int, close: float = 10.0) -> list[float]:
    return [float(time), 10.0, 12.0, 9.0, close, 100.0]


HELLO = encode(json.dumps({"session_id": "x", "timestamp": NOW}))
LOADING = event("series_loading", IDS, NOW * 1000)
RESOLVED = event("symbol_resolved", [MINE, "symbol_1", {"description": "Apple"}], NOW * 1000)


def update(*times: int, close: float = 10.0, series: str = "s1", turnaround: str = "s1") -> str:
    """Return a timescale update; its indexes mean nothing."""
    bars = [{"i": 7, "v": bar(time, close)} for time in times]
    block = {"s": bars, "t": turnaround, "lbs": {"bar_close_time": NOW + 60}}
    return event("timescale_update", [MINE, {series: block}, {"index": 7}], NOW * 1000)


def completed(word: str | None = None, turnaround: str = "s1") -> str:
    state = {"rt_update_period": 0} | ({"data_completed": word} if word else {})
    params = [MINE, "s1", "streaming", turnaround, state]
    return event("series_completed", params, NOW * 1000)


def answer(*times: int, word: str | None = None) -> str:
    """Return the whole answer with bars that open so many hours before now."""
    opens = [NOW - hours * HOUR for hours in times]
    return LOADING + RESOLVED + (update(*opens) if opens else "") + completed(word)


def beginning(time: object, field: str = "first_bar_time_1m", session: str = QUOTES) -> str:
    return event("qsd", [session, {"n": "NASDAQ:AAPL", "s": "ok", "v": {field: time}}], None)


def page_of(session: ChartSession) -> Page:
    assert session.error is None
    page = session.page
    assert page is not None
    return page


def hours_of(page: Page) -> list[int]:
    """Return how many hours before now the closed bars of a page open."""
    return [(NOW - time) // HOUR for time in page.history.closed.time.tolist()]


def captured(wire: Path) -> tuple[dict[int, str], list[MethodCall]]:
    """Return the server's texts by number, with the ids of our session, and the client's calls."""
    texts: dict[int, str] = {}
    sent = []
    for line in (wire / "nse_browser_pages_2025-12-18.jsonl").read_text().splitlines():
        entry = json.loads(line)
        (payload,) = FrameDecoder().feed(entry["frame"])
        if entry["dir"] == "C":
            sent.append(read_call(payload))
            continue
        for theirs, ours in (("cs_1EScFq71Fjjf", MINE), ("sds_2", "s1"), ("sds_sym_2", "symbol_1")):
            payload = payload.replace(f'"{theirs}"', f'"{ours}"')
        texts[entry["n"]] = texts.get(entry["n"], "") + encode(payload)
    return texts, sent


def rows(text: str) -> list[list[float]]:
    """Return the bars of a text, read without the product's decoder."""
    messages = [json.loads(payload) for payload in text.split("~m~")[2::2]]
    updates: list[Any] = [each["p"][1] for each in messages if each.get("m") == "timescale_update"]
    return [each["v"] for blocks in updates if blocks for each in blocks["s1"]["s"]]


def test_the_captured_pages_of_a_browser(wire: Path) -> None:
    """Both pages hold what was sent; tick marks, studies and ranges without bars change nothing."""
    texts, _ = captured(wire)
    session = chart("NSE:JUNIPER|3h")
    for number in (0, 27, 38):
        session.receive(texts[number])
    first = page_of(session)
    sent = rows(texts[38])
    assert (300, sent[:-1]) == (len(sent), first.history.closed.columns.T.tolist())
    assert first.history.forming is not None
    assert (sent[-1][0], 1766040780) == (
        first.history.forming.time,
        first.history.forming.close_time,
    )
    assert first.history.listing is not None
    assert (None, True) == (first.stop, first.is_newest)
    session.next_page(20.0)
    session.receive(texts[55])
    second = page_of(session)
    assert rows(texts[55]) == second.history.closed.columns.T.tolist()
    assert (232, None, False) == (len(second.history.closed), second.stop, second.is_newest)
    session.next_page(30.0)
    session.receive(texts[63])  # of a range whose bars are all loaded: it has none
    third = page_of(session)
    assert (0, None) == (third.history.fetched, third.stop)


def test_the_calls_of_the_capture(wire: Path) -> None:
    """The calls have the form of a browser's."""
    _, sent = captured(wire)
    theirs = {call.method: call.params for call in sent}
    session = chart("NSE:JUNIPER|3h")
    ours = {call.method: call.params for call in calls(session)}
    session.receive(answer(1))
    session.next_page(20.0)
    (more,) = calls(session)
    for method in ("resolve_symbol", "create_series"):
        kinds = [type(param) for param in ours[method]]
        assert kinds == [type(param) for param in theirs[method]][: len(kinds)]
    assert "request_more_data" == more.method
    assert [str, str, int] == [type(param) for param in theirs["request_more_data"]]
    assert [MINE, "s1", 5000] == more.params


@pytest.mark.parametrize(
    ("interval", "resolution"),
    [
        *zip(list(Interval)[:6], ["1", "3", "5", "15", "30", "45"], strict=True),
        *zip(list(Interval)[6:10], ["60", "120", "180", "240"], strict=True),
        *zip(list(Interval)[10:], ["1D", "1W", "1M"], strict=True),
    ],
)
def test_the_first_calls(interval: Interval, resolution: str) -> None:
    """A session authorizes, resolves its symbol as tvdatafeed does, and requests bars."""
    symbol = '={"symbol":"NASDAQ:AAPL","adjustment":"splits","session":"regular"}'
    *opening, create = calls(chart(f"NASDAQ:AAPL|{interval.value}", -(10**9)))
    assert [
        MethodCall("set_auth_token", ["token"]),
        MethodCall("quote_create_session", [QUOTES]),
        MethodCall("quote_set_fields", [QUOTES, *FIELDS]),
        MethodCall("quote_add_symbols", [QUOTES, "NASDAQ:AAPL"]),
        MethodCall("chart_create_session", [MINE, ""]),
        MethodCall("resolve_symbol", [MINE, "symbol_1", symbol]),
    ] == opening
    assert ("create_series", [MINE, "s1", "s1", "symbol_1", resolution]) == (
        create.method,
        create.params[:5],
    )
    assert 0 < create.params[5] <= 5000


@pytest.mark.parametrize(
    ("start", "end", "oldest", "count"),
    [
        (NOW - 10 * HOUR, None, None, 15),
        (0, None, None, 5000),
        (NOW - 20 * HOUR, NOW - 10 * HOUR, None, ["bar_count", NOW - 10 * HOUR - 1, 15]),
        (NOW - 20 * HOUR, None, NOW - 10 * HOUR, ["bar_count", NOW - 10 * HOUR, 15]),
        (NOW - 5 * HOUR, None, NOW - 10 * HOUR, ["bar_count", NOW - 10 * HOUR, 1]),
    ],
)
def test_how_many_bars_are_requested(
    start: int, end: int | None, oldest: int | None, count: object
) -> None:
    """No more than may lie after the start, and a page at most; an end or a rest has an anchor."""
    assert count == calls(chart(start=start, end=end, oldest=oldest))[-1].params[5]


def test_the_next_page_begins_at_the_oldest_bar() -> None:
    """The next request counts from the oldest bar at hand to the start."""
    session = chart(start=NOW - 100 * HOUR)
    calls(session)
    session.receive(HELLO + answer(3, 2, 1, 0))
    session.next_page(20.0)
    assert [MethodCall("request_more_data", [MINE, "s1", 97 + 5])] == calls(session)
    session = chart()
    calls(session)
    session.receive(HELLO + answer())
    session.next_page(20.0)
    assert [MethodCall("request_more_data", [MINE, "s1", 5000])] == calls(session)


def test_nothing_is_requested_before_a_page_is_complete() -> None:
    """There is no page while one is awaited, and none after the last."""
    session = chart()
    calls(session)
    session.receive(HELLO + LOADING + RESOLVED + update(NOW - HOUR, NOW))
    assert session.page is None
    with pytest.raises(RuntimeError):
        session.next_page(20.0)
    session.receive(completed("end"))
    assert Stop.END is page_of(session).stop
    with pytest.raises(RuntimeError):
        session.next_page(20.0)
    assert [] == calls(session)


@pytest.mark.parametrize(
    ("start", "word", "begins_at", "stop"),
    [
        (NOW - 3 * HOUR, None, None, Stop.REACHED),
        (NOW - 3 * HOUR + 1, None, None, Stop.REACHED),
        (NOW - 3 * HOUR - 1, None, None, None),
        (NOW - 3 * HOUR, "end", None, Stop.REACHED),
        (0, "end", None, Stop.END),
        (0, "limit", None, Stop.LIMIT),
        (0, "limit", NOW - 3 * HOUR, Stop.LIMIT),
        (0, "something new", None, None),
        (0, None, NOW - 3 * HOUR + 60, Stop.END),
        (0, None, NOW - 3 * HOUR - 60, None),
        (0, None, NOW - 2 * HOUR, None),
    ],
)
def test_why_a_page_is_the_last(
    start: int, word: str | None, begins_at: int | None, stop: Stop | None
) -> None:
    """The start, the server's word, or the beginning of history as the quote tells it."""
    session = chart(start=start)
    if begins_at is not None:
        session.receive(beginning(begins_at))
    session.receive(HELLO + answer(3, 2, 1, 0, word=word))
    page = page_of(session)
    assert (stop, begins_at) == (page.stop, page.begins_at)
    assert [3, 2, 1] == hours_of(page)


@pytest.mark.parametrize("second", [answer(), answer(2, 1), answer(3)])
def test_two_pages_without_progress_are_the_last(second: str) -> None:
    """A page without older bars is requested once more, and then given up."""
    session = chart()
    session.receive(HELLO + answer(3, 2, 1, 0))
    session.next_page(20.0)
    session.receive(second)
    assert page_of(session).stop is None
    session.next_page(30.0)
    session.receive(second)
    assert Stop.NO_PROGRESS is page_of(session).stop


def test_progress_after_a_page_without_it() -> None:
    """Only two such pages in a row are the end."""
    session = chart()
    stops = []
    for page in (answer(3, 0), answer(3), answer(5, 4), answer(5), answer(7)):
        session.receive(HELLO + page)
        stops.append(page_of(session).stop)
        session.next_page(20.0)
    assert [None] * 5 == stops


def test_bars_are_merged_by_time_and_not_by_index() -> None:
    """An older page may repeat bars, and bring newer ones, which are no part of it."""
    session = chart()
    session.receive(HELLO + answer(3, 2, 1, 0))
    session.next_page(20.0)
    stray = update(NOW - 2 * HOUR, NOW, NOW + HOUR, close=11.0)
    session.receive(LOADING + update(NOW - 5 * HOUR, NOW - 4 * HOUR) + stray + completed())
    page = page_of(session)
    assert [5, 4, 2] == hours_of(page)
    assert [10.0, 10.0, 11.0] == page.history.closed.close.tolist()
    assert page.history.forming is None


def test_a_new_bar_between_two_pages() -> None:
    """Live bars that come while a page is stored, or with the next, are left to another sync."""
    session = chart()
    session.receive(HELLO + answer(3, 2, 1, 0) + update(NOW + HOUR))
    session.receive(update(NOW + HOUR))
    assert [3, 2, 1] == hours_of(page_of(session))
    session.next_page(20.0)
    session.receive(update(NOW + HOUR) + answer(4))
    assert [4] == hours_of(page_of(session))


def test_a_page_is_not_completed_by_the_end_of_the_one_before() -> None:
    """A second `series_completed` of a page comes before the next answer begins."""
    session = chart()
    session.receive(HELLO + answer(3, 2, 1, 0) + completed())
    session.next_page(20.0)
    session.receive(completed("end"))
    assert session.page is None
    session.receive(answer(4))
    assert ([4], None) == (hours_of(page_of(session)), page_of(session).stop)


def test_other_turnarounds_are_ignored() -> None:
    """Bars and ends of an earlier turnaround are not those of this request."""
    session = chart()
    session.receive(HELLO + LOADING + update(NOW - 9 * HOUR, turnaround="old"))
    session.receive(completed(turnaround="old") + update(NOW - 9 * HOUR, series="s2"))
    assert session.page is None
    session.receive(RESOLVED + update(NOW - HOUR, NOW) + completed())
    assert [1] == hours_of(page_of(session))


def test_points_of_studies_are_no_bars() -> None:
    """They may lie outside the loaded bars, with indexes below -1,000,000."""
    session = chart()
    points = [{"i": -1_000_100, "v": [float(NOW - 9 * HOUR), 1.5]}]
    study = event("du", [MINE, {"st1": {"st": points, "t": "s1_st1"}}], None)
    session.receive(HELLO + LOADING + study + answer(1, 0))
    assert [1] == hours_of(page_of(session))


@pytest.mark.parametrize(
    "clearing",
    [
        event("clear_data", [MINE, {"s1": {"turnaround": "s1"}}], NOW * 1000),
        event("timescale_update", [MINE, {"s1": {"s": [], "t": "s1"}}, {}], NOW * 1000),
    ],
)
def test_cleared_bars_are_dropped(clearing: str) -> None:
    """The server may take back the bars of an answer before it ends."""
    session = chart()
    session.receive(HELLO + LOADING + RESOLVED + update(NOW - 9 * HOUR) + clearing)
    session.receive(event("clear_data", [MINE, {"s2": {}}], NOW * 1000))
    session.receive(update(NOW - HOUR, NOW) + completed())
    assert [1] == hours_of(page_of(session))


def test_a_forming_bar_alone() -> None:
    """The first bar of a new listing is no closed one; older pages end before it."""
    session = chart()
    session.receive(HELLO + answer(0))
    page = page_of(session)
    assert ([], True) == (hours_of(page), page.history.forming is not None)
    session.next_page(20.0)
    session.receive(answer(1, 0))
    assert [1] == hours_of(page_of(session))


def test_a_listing_without_bars() -> None:
    """It completes without any bar."""
    session = chart()
    session.receive(HELLO + answer(word="end"))
    page = page_of(session)
    assert (0, Stop.END) == (page.history.fetched, page.stop)


def test_a_market_that_is_closed() -> None:
    """If no bar is forming, the newest one belongs to the page, and later pages may repeat it."""
    session = chart()
    session.receive(HELLO)
    block = {"s": [{"i": 0, "v": bar(NOW - 9 * HOUR)}], "t": "s1"}
    block["lbs"] = {"bar_close_time": NOW - 8 * HOUR}
    newest = event("timescale_update", [MINE, {"s1": block}, {}], NOW * 1000)
    session.receive(LOADING + RESOLVED + newest + completed())
    assert ([9], None) == (hours_of(page_of(session)), page_of(session).history.forming)
    session.next_page(20.0)
    session.receive(answer(10, 9))
    assert [10, 9] == hours_of(page_of(session))


def test_a_range_with_an_end_has_closed_bars_alone() -> None:
    """Bars from the end on, and one that may still be open, are no part of it."""
    session = chart(end=NOW - HOUR)
    session.receive(HELLO + answer(4, 3, 2, 1))
    page = page_of(session)
    assert ([4, 3, 2], False, None) == (hours_of(page), page.is_newest, page.history.forming)
    session = chart(end=NOW)
    session.receive(HELLO + LOADING + RESOLVED + update(NOW - 3 * HOUR, NOW - 600) + completed())
    assert [3] == hours_of(page_of(session))


@pytest.mark.parametrize(("days", "expected"), [(30, []), (31, [31 * 24])])
def test_a_month_may_have_31_days(days: int, expected: list[int]) -> None:
    """The bar of a month has surely closed after so many days."""
    session = chart("NASDAQ:AAPL|1M", end=NOW)
    session.receive(HELLO + answer(days * 24))
    assert expected == hours_of(page_of(session))


def test_a_server_without_a_clock() -> None:
    """Without the server's time, ours says which bars have closed."""
    session = chart(end=NOW)
    block = {"s": [{"i": 0, "v": bar(NOW - hours * HOUR)} for hours in (2, 1)], "t": "s1"}
    session.receive(LOADING + event("timescale_update", [MINE, {"s1": block}, {}], None))
    session.receive(completed())
    assert [2, 1] == hours_of(page_of(session))


def test_an_anchor_before_history_is_the_end() -> None:
    """The server is silent then, and only the quote says when history begins."""
    session = chart(end=NOW - 50 * HOUR)
    session.receive(HELLO + LOADING + RESOLVED)
    assert session.page is None
    session.receive(beginning(NOW - 60 * HOUR))
    assert session.page is None
    session.receive(beginning(NOW - 50 * HOUR))
    page = page_of(session)
    assert (0, Stop.END, NOW - 50 * HOUR) == (page.history.fetched, page.stop, page.begins_at)
    assert page.history.listing is not None
    session.receive(answer(60))
    assert 0 == page_of(session).history.fetched


def test_a_beginning_that_is_later_than_a_known_bar_is_wrong() -> None:
    """An attempt that goes on at a bar does not end before the server has answered."""
    session = chart(oldest=NOW - 50 * HOUR)
    session.receive(HELLO + LOADING + RESOLVED + beginning(NOW - 40 * HOUR))
    assert session.page is None
    session.receive(answer(51, 50))
    assert ([51, 50], None) == (hours_of(page_of(session)), page_of(session).stop)


@pytest.mark.parametrize(
    ("begins_at", "sent", "stop"),
    [
        (None, [], Stop.NO_PROGRESS),
        (NOW - 90 * HOUR, [], Stop.LIMIT),
        (NOW - 90 * HOUR, [20, 10], Stop.NO_PROGRESS),
    ],
)
def test_bars_that_never_come(begins_at: int | None, sent: list[int], stop: Stop) -> None:
    """A range beyond the plan has no bars and no error, although history begins before it.

    Bars of another time show nothing of the plan.
    """
    session = chart(end=NOW - 50 * HOUR)
    session.receive(HELLO + beginning(begins_at))
    for _ in range(2):
        session.receive(answer(*sent))
        page = page_of(session)
        if page.stop is None:
            session.next_page(20.0)
            session.receive(event("series_loading", IDS, NOW * 1000))
    assert stop is page.stop


@pytest.mark.parametrize(
    ("series", "text", "expected"),
    [
        ("NASDAQ:AAPL|1h", beginning(5), 5),
        ("NASDAQ:AAPL|1h", beginning(5, "first_bar_time_1d"), None),
        ("NASDAQ:AAPL|1w", beginning(5, "first_bar_time_1d"), 5),
        ("NASDAQ:AAPL|1h", beginning(5, session="qs_other"), None),
        ("NASDAQ:AAPL|1h", beginning("soon"), None),
        ("NASDAQ:AAPL|1h", beginning(None), None),
        ("NASDAQ:AAPL|1h", beginning(5) + beginning(None), 5),
    ],
)
def test_when_history_begins(series: str, text: str, expected: int | None) -> None:
    """The quote has one time for intraday bars, and one for days and longer."""
    session = chart(series)
    session.receive(text + HELLO + answer(3, 2, 1, 0))
    assert expected == page_of(session).begins_at


def test_dividends_come_with_a_page() -> None:
    """A page has those that the quote has named by then."""
    session = chart()
    named = (1_794_960_000, "dividend_ex_date_recent")
    session.receive(beginning(*named) + HELLO + answer(3, 2, 1, 0))
    assert (Dividend(date(2026, 11, 18)),) == page_of(session).report.dividends
    session = chart()
    session.receive(beginning(*named, session="qs_other") + HELLO + answer(3, 2, 1, 0))
    assert () == page_of(session).report.dividends


def test_heartbeats_are_sent_back_at_any_time() -> None:
    """Also after a page in the same text, while it is stored."""
    session = chart()
    session.outgoing()
    session.receive(HELLO + encode("~h~1") + answer(3, 0) + encode("~h~2"))
    assert [encode("~h~1"), encode("~h~2")] == session.outgoing()
    session.receive(encode("~h~3"))
    assert [encode("~h~3")] == session.outgoing()


def test_a_connection_that_has_the_token() -> None:
    """Without a token, the calls begin with those of the quote session."""
    request = SyncRequest(Series.parse("NASDAQ:AAPL|1h"), start=0)
    session = ChartSession(request, None, "mine", 10.0, NOW)
    assert calls(chart())[1:] == calls(session)


def test_both_sessions_are_deleted() -> None:
    """On request, the calls that delete both sessions are sent."""
    session = chart()
    session.outgoing()
    session.delete()
    expected = [
        MethodCall("quote_delete_session", [QUOTES]),
        MethodCall("chart_delete_session", [MINE]),
    ]
    assert expected == calls(session)


def test_silence() -> None:
    """A page that is not complete at its deadline is an error; heartbeats do not help."""
    session = chart(deadline=10.0)
    session.receive(HELLO + LOADING)
    session.check(9.9)
    assert session.error is None
    session.receive(answer(3, 0))
    session.check(99.0)
    session.next_page(20.0)
    session.check(19.9)
    assert (20.0, None) == (session.deadline, session.error)
    session.receive(LOADING + encode("~h~1") + update(NOW - 5 * HOUR))
    session.check(20.0)
    assert isinstance(session.error, ProviderTimeout)
    assert "NASDAQ:AAPL|1h" in str(session.error)
    session.receive(answer(5, 4))
    assert session.page is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (event("protocol_error", ["bad auth token"], None), BadToken),
        (event("symbol_error", [MINE, "symbol_1", "invalid symbol"], NOW), UnknownSymbol),
        (event("series_error", [*IDS, "resolve error"], NOW), ProviderFault),
        (event("critical_error", [MINE, "invalid parameters", "x"], None), ProviderFault),
        ("no frame", ProtocolViolation),
        (event("timescale_update", [MINE, {"s1": {"s": 5}}, {}], NOW), ProtocolViolation),
    ],
)
def test_errors(text: str, expected: type[PocketQuantError]) -> None:
    """An error of its symbol, series, session or connection ends the session, and names both."""
    session = chart()
    session.receive(text)
    assert expected is type(session.error)
    assert "NASDAQ:AAPL" in str(session.error)
    assert session.page is None
    session.check(99.0)
    assert expected is type(session.error)


def test_errors_of_others() -> None:
    """Errors of the quote session, and of others, concern nobody here."""
    session = chart()
    for text in (
        event("critical_error", [QUOTES, "invalid_parameters", "quote_add_symbols"], None),
        event("symbol_error", [MINE, "symbol_2", "invalid symbol"], NOW),
        event("series_error", [MINE, "s1", "old", "resolve error"], NOW),
    ):
        session.receive(text)
    session.receive(HELLO + answer(3, 0))
    assert [3] == hours_of(page_of(session))
