"""Live quotes over HTTP: subscriptions, latest values, streams, and reasons for missing ones."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from pocketquant.cache.board_records import RefusedSymbol, StreamerStatus, UnreadableSymbol
from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.coordination.nudges import SUBSCRIPTIONS_CHANNEL
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.quotes import Quote, Tick
from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings
from pocketquant.wiring import Platform
from tests.forming import ALWAYS

QUOTES = "/api/v1/quotes"
AAPL = "NASDAQ:AAPL"
FAR = 4_102_444_800  # 2100-01-01: what forms then is current for long
STATUS = StreamerStatus("0", "here", 7, FAR - 5.0, FAR, connected_at=FAR - 4.0, symbols=1)

Json = dict[str, Any]
Flushes = Callable[..., None]


@pytest.fixture
def flush(cache: redis.Redis, platform: Platform) -> Flushes:
    """Writes quotes and bars of symbols that trade always to the board, as a streamer does."""
    lease = Leases(cache, seconds=60.0).acquire("streamer:0")
    assert lease is not None
    writer = BoardWriter(cache, "0", lease.key, lease.token)
    bars = BarAggregator()

    def put(
        *symbols: str,
        price: float = 10.0,
        status: StreamerStatus = STATUS,
        texts: CalendarTexts = ALWAYS.texts,
    ) -> None:
        for symbol in symbols:
            platform.calendars.keep(Symbol.parse(symbol), texts, None, 0)
            bars.learn(symbol, parse_calendar(texts), 0)
            bars.see(symbol, FAR - 86_400.0)
            bars.take([Tick(symbol, FAR + 1, price, 5)])
            bars.report(day_of(symbol, price), is_whole=True)
        entries = [
            Entry(Quote(symbol, time=FAR + 1, last_price=price), bars.state(symbol), True, True)
            for symbol in symbols
        ]
        writer.write(Flush(FAR + 2.0, FAR + 2.0, entries, status=status))

    return put


def day_of(symbol: str, price: float) -> Quote:
    """A quote of the day that a trade at 10, and perhaps another, make."""
    day = {"open_price": 10.0, "high_price": price, "low_price": 10.0, "day_volume": 10.0}
    return Quote(symbol, time=FAR + 1, last_price=price, **day)


def named(*symbols: str) -> Json:
    parsed = map(Symbol.parse, symbols)
    return {"symbols": [{"exchange": each.exchange, "symbol": each.ticker} for each in parsed]}


def test_symbols_are_subscribed_and_unsubscribed(client: FlaskClient, platform: Platform) -> None:
    """Names may be in any case, duplicates count once; the answer has the new state."""
    calls = [
        ("subscribe", ["NASDAQ:AAPL", "nasdaq:aapl", "NASDAQ:MSFT"]),
        ("subscribe", ["NASDAQ:AAPL"]),
        ("unsubscribe", ["NASDAQ:AAPL", "NASDAQ:NONE"]),
    ]
    answers = [client.post(f"{QUOTES}/{call}", json=named(*which)) for call, which in calls]
    assert [200, 200, 200] == [answer.status_code for answer in answers]
    assert [(2, 2), (2, 0), (1, 1)] == [
        (answer.get_json()["subscribed"], answer.get_json()["changed"]) for answer in answers
    ]
    assert [Symbol("NASDAQ", "MSFT")] == list(platform.subscriptions.all().since)


def test_streaming_is_stopped_and_started(client: FlaskClient, platform: Platform) -> None:
    """Neither needs a body; subscriptions are kept."""
    client.post(f"{QUOTES}/subscribe", json=named(AAPL))
    answers = [client.post(f"{QUOTES}/{call}").get_json() for call in ("stop", "start")]
    expected = [
        {"streaming": False, "subscribed": 1, "changed": 0},
        {"streaming": True, "subscribed": 1, "changed": 0},
    ]
    assert expected == answers


@pytest.mark.parametrize("call", ["subscribe", "unsubscribe"])
def test_a_malformed_symbol_refuses_the_request(
    client: FlaskClient, platform: Platform, call: str
) -> None:
    """422 names its index in the list, and no symbol is subscribed."""
    body = named(AAPL, AAPL)
    body["symbols"][1]["symbol"] = "A B"
    answer = client.post(f"{QUOTES}/{call}", json=body)
    (problem,) = answer.get_json()["errors"]["json"]
    assert (422, ["symbols", 1, "symbol"]) == (answer.status_code, problem["loc"])
    assert 0 == platform.subscriptions.count()


@pytest.mark.parametrize("body", [{}, {"symbols": []}, {"symbols": AAPL}, [], {"symbols": [AAPL]}])
def test_other_bodies_are_refused(client: FlaskClient, body: object) -> None:
    """They are 422."""
    assert 422 == client.post(f"{QUOTES}/subscribe", json=body).status_code


def test_a_change_of_subscriptions_wakes_the_streamers(
    client: FlaskClient, platform: Platform
) -> None:
    """Each change publishes one nudge."""
    with platform.nudges.listening(SUBSCRIPTIONS_CHANNEL) as listener:
        assert not listener.wait(0.001)
        client.post(f"{QUOTES}/subscribe", json=named(AAPL))
        client.post(f"{QUOTES}/stop")
        assert [True, True, False] == [listener.wait(seconds) for seconds in (5.0, 5.0, 0.001)]


def test_the_latest_quote_has_exactly_the_documented_fields(
    client: FlaskClient, flush: Flushes
) -> None:
    """Its values are those on the board."""
    flush(AAPL)
    answer = client.get(f"{QUOTES}/latest/nasdaq/aapl")
    fields = (
        "symbol exchange timestamp last_price bid ask volume change change_percent"
        " open_price high_price low_price prev_close update_mode"
    )
    assert (200, fields.split()) == (answer.status_code, list(answer.get_json()))
    assert ("AAPL", "NASDAQ", "2100-01-01T00:00:01Z", 10.0) == tuple(answer.get_json().values())[:4]


def test_all_latest_quotes_are_ordered_by_symbol(client: FlaskClient, flush: Flushes) -> None:
    """Without any quote, the list is empty."""
    assert [] == client.get(f"{QUOTES}/all").get_json()
    flush("NASDAQ:MSFT", AAPL)
    answer = client.get(f"{QUOTES}/all").get_json()
    assert ["AAPL", "MSFT"] == [quote["symbol"] for quote in answer]


@pytest.mark.parametrize("what", ["latest", "current-bar"])
@pytest.mark.parametrize(
    ("calls", "status", "expected", "reason"),
    [
        ([], None, (404, "not_found"), "is not subscribed"),
        (["subscribe"], None, (503, "no_live_quote"), "no streamer is running"),
        (["subscribe", "stop"], None, (503, "no_live_quote"), "streaming is stopped"),
        (
            ["subscribe"],
            replace(STATUS, connected_at=None),
            (503, "no_live_quote"),
            "no streamer is connected to the provider",
        ),
        (["subscribe"], STATUS, (503, "no_live_quote"), "no quote of NASDAQ:AAPL has come yet"),
        (
            ["subscribe"],
            replace(STATUS, refused=(RefusedSymbol(AAPL, "unknown_symbol", "nobody knows it"),)),
            (404, "unknown_symbol"),
            "nobody knows it",
        ),
        (
            ["subscribe"],
            replace(STATUS, refused=(RefusedSymbol(AAPL, "no_permission", "too dear"),)),
            (403, "no_permission"),
            "too dear",
        ),
    ],
)
def test_a_missing_quote_has_its_reason(
    client: FlaskClient,
    flush: Flushes,
    what: str,
    calls: list[str],
    status: StreamerStatus | None,
    expected: tuple[int, str],
    reason: str,
) -> None:
    """404 or 403 if waiting does not help, 503 if it may."""
    for call in calls:
        client.post(f"{QUOTES}/{call}", json=named(AAPL) if call == "subscribe" else None)
    if status:
        flush(status=status)
    answer = client.get(f"{QUOTES}/{what}/NASDAQ/AAPL")
    document = answer.get_json()
    assert expected == (answer.status_code, document["error"])
    assert reason in document["message"]


def test_an_unsubscribed_symbol_has_no_quote(client: FlaskClient, flush: Flushes) -> None:
    """This holds even before its streamer unsubscribes it."""
    client.post(f"{QUOTES}/subscribe", json=named(AAPL))
    flush(AAPL)
    client.post(f"{QUOTES}/unsubscribe", json=named(AAPL))
    assert 404 == client.get(f"{QUOTES}/latest/NASDAQ/AAPL").status_code


@pytest.mark.parametrize(
    ("query", "interval", "end", "trading_day", "tick_count"),
    [
        ("", "1m", "2100-01-01T00:01:00Z", None, 2),
        ("?interval=45m", "45m", "2100-01-01T00:45:00Z", None, 2),
        ("?interval=1d", "1d", "2100-01-02T00:00:00Z", "2100-01-01", 1),
        ("?interval=1M", "1M", "2100-02-01T00:00:00Z", "2100-01-01", 1),
    ],
)
def test_the_current_bar_has_exactly_the_documented_fields(
    client: FlaskClient,
    flush: Flushes,
    query: str,
    interval: str,
    end: str,
    trading_day: str | None,
    tick_count: int,
) -> None:
    """Bars of days and longer have a trading day; their trades are not counted."""
    flush(AAPL)
    flush(AAPL, price=12.5)
    expected = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "interval": interval,
        "bar_start": "2100-01-01T00:00:00Z",
        "bar_end": end,
        "open": 10.0,
        "high": 12.5,
        "low": 10.0,
        "close": 12.5,
        "volume": 10.0,
        "tick_count": tick_count,
        "partial": False,
        "as_of": "2100-01-01T00:00:02Z",
        "trading_day": trading_day,
    }
    assert expected == client.get(f"{QUOTES}/current-bar/NASDAQ/AAPL{query}").get_json()


@pytest.mark.parametrize(
    ("texts", "doubt", "reason"),
    [
        (None, None, "hours are not known yet"),
        (ALWAYS.texts, Interval.H1, "doubtful"),
        (CalendarTexts("Etc/UTC", "?"), None, "no calendar"),
    ],
)
def test_longer_bars_need_a_calendar_beyond_doubt(
    client: FlaskClient,
    flush: Flushes,
    platform: Platform,
    texts: CalendarTexts | None,
    doubt: Interval | None,
    reason: str,
) -> None:
    """The message says what is wrong; the minute is shown all the same."""
    flush(AAPL)
    symbol = Symbol.parse(AAPL)
    platform.calendars.forget(symbol)
    if texts is not None:
        problem = None if texts == ALWAYS.texts else "not understood"
        platform.calendars.keep(symbol, texts, problem, 0)
    if doubt is not None:
        platform.calendars.doubt(symbol, doubt, 3600)
    answer = client.get(f"{QUOTES}/current-bar/NASDAQ/AAPL?interval=1h")
    assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])
    assert reason in answer.get_json()["message"]
    assert 200 == client.get(f"{QUOTES}/current-bar/NASDAQ/AAPL").status_code


def test_the_current_hour_of_a_stock_opens_with_its_session(
    client: FlaskClient, flush: Flushes
) -> None:
    """The bar is the exchange's own, as history will have it."""
    flush(AAPL, texts=CalendarTexts("Etc/UTC", "2330-2430:1234567"))
    found = client.get(f"{QUOTES}/current-bar/NASDAQ/AAPL?interval=4h").get_json()
    expected = ("2099-12-31T23:30:00Z", "2100-01-01T00:30:00Z")
    assert expected == (found["bar_start"], found["bar_end"])


def test_a_current_bar_without_a_trade_is_404(
    client: FlaskClient, flush: Flushes, cache: redis.Redis
) -> None:
    """This holds although there is a quote."""
    flush(AAPL)
    cache.delete("bar:current:NASDAQ:AAPL:1m")
    answer = client.get(f"{QUOTES}/current-bar/NASDAQ/AAPL")
    assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])
    assert "not been traded" in answer.get_json()["message"]


def test_the_status_has_subscriptions_streamers_and_refused_symbols(
    client: FlaskClient, flush: Flushes
) -> None:
    """It also has symbols with unreadable quotes."""
    client.post(f"{QUOTES}/subscribe", json=named(AAPL, "NASDAQ:NONE"))
    flush(
        status=replace(
            STATUS,
            refused=(RefusedSymbol("NASDAQ:NONE", "unknown_symbol", "no"),),
            unreadable=(UnreadableSymbol(AAPL, 3, "volume is a text"),),
            unreadable_quotes=4,
        )
    )
    status = client.get(f"{QUOTES}/status").get_json()
    (streamer,) = status.pop("streamers")
    refused = {
        "symbol": "NONE",
        "exchange": "NASDAQ",
        "error": "unknown_symbol",
        "message": "no",
    }
    unreadable = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "quotes": 3,
        "message": "volume is a text",
    }
    assert {
        "streaming": True,
        "subscribed": 2,
        "watched": 1,
        "refused": [refused],
        "unreadable": [unreadable],
    } == status
    assert 4 == streamer["unreadable_quotes"]
    assert ("0", 7, "2099-12-31T23:59:56Z") == (
        streamer["shard"],
        streamer["pid"],
        streamer["connected_at"],
    )


def events(body: Iterator[bytes]) -> Iterator[Json]:
    """Yields the quotes of a stream; skips comments and the rest."""
    for chunk in body:
        for block in chunk.decode().split("\n\n"):
            if block.startswith("event: quote\ndata: "):
                yield json.loads(block.partition("data: ")[2])


def test_a_stream_sends_each_change(client: FlaskClient, flush: Flushes) -> None:
    """It sends the latest quotes first, then each change of its symbols alone."""
    flush(AAPL, "NASDAQ:MSFT", price=1.0)
    answer = client.get(f"{QUOTES}/stream?symbols=nasdaq:aapl,A:B", buffered=False)
    assert ("text/event-stream", "no") == (answer.mimetype, answer.headers["X-Accel-Buffering"])
    quotes = events(iter(answer.response))  # type: ignore[arg-type]
    seen = [next(quotes)]
    flush("NASDAQ:MSFT", price=2.0)
    flush(AAPL, price=3.0)
    seen.append(next(quotes))
    answer.close()
    assert [("AAPL", 1.0), ("AAPL", 3.0)] == [(each["symbol"], each["last_price"]) for each in seen]


def test_a_slow_reader_gets_the_newest_quote(client: FlaskClient, flush: Flushes) -> None:
    """It misses the quotes in between."""
    answer = client.get(f"{QUOTES}/stream?symbols={AAPL}", buffered=False)
    quotes = events(iter(answer.response))  # type: ignore[arg-type]
    flush(AAPL, price=1.0)
    seen = [next(quotes)["last_price"]]
    for price in range(2, 102):
        flush(AAPL, price=float(price))
    while seen[-1] < 101.0:
        seen.append(next(quotes)["last_price"])
    answer.close()
    assert 100 > len(seen)


def test_a_stream_goes_on_after_redis_lost_its_connections(
    client: FlaskClient, flush: Flushes, cache: redis.Redis
) -> None:
    """It sends the changes that happened meanwhile."""
    flush(AAPL, price=1.0)
    answer = client.get(f"{QUOTES}/stream?symbols={AAPL}", buffered=False)
    quotes = events(iter(answer.response))  # type: ignore[arg-type]
    seen = [next(quotes)["last_price"]]
    cache.client_kill_filter(_type="pubsub")
    flush(AAPL, price=2.0)
    seen.append(next(quotes)["last_price"])
    answer.close()
    assert [1.0, 2.0] == seen


def test_all_streams_share_one_subscription(
    client: FlaskClient, settings: Settings, serve: Callable[..., FlaskClient], cache: redis.Redis
) -> None:
    """The subscription ends with the last of them."""

    def channels() -> list[Any]:
        return list(cache.pubsub_numsub(f"quotes:{AAPL}"))  # type: ignore[arg-type]

    def is_heard(times: int) -> None:
        wait_until("it is so", lambda: channels()[0][1] == times, (), 60.0)

    wide = serve(settings.model_copy(update={"api_threads": 80}))
    opened = [wide.get(f"{QUOTES}/stream?symbols={AAPL}", buffered=False) for _ in range(10)]
    for answer in opened:
        next(iter(answer.response))  # type: ignore[call-overload]
    is_heard(times=1)
    for answer in opened:
        answer.close()
    is_heard(times=0)


def test_the_number_of_streams_is_limited(
    client: FlaskClient, settings: Settings, serve: Any
) -> None:
    """One too many is 503; a stream that ends frees its slot."""
    narrow = serve(settings.model_copy(update={"api_threads": 8}))
    url = f"{QUOTES}/stream?symbols={AAPL}"
    first = narrow.get(url, buffered=False)
    refused = narrow.get(url)
    first.close()
    third = narrow.get(url, buffered=False)
    third.close()
    assert [200, 503, 200] == [first.status_code, refused.status_code, third.status_code]
    assert "too_many_streams" == refused.get_json()["error"]


@pytest.mark.parametrize("query", ["", "?symbols=", "?symbols=AAPL", f"?symbols={AAPL},", "?x=1"])
def test_a_stream_needs_symbols(client: FlaskClient, query: str) -> None:
    """Without any, the answer is 422."""
    assert 422 == client.get(f"{QUOTES}/stream{query}").status_code


def test_a_stream_has_at_most_500_symbols(client: FlaskClient) -> None:
    """One more is 422."""
    many = ",".join(f"A:S{number}" for number in range(501))
    assert 422 == client.get(f"{QUOTES}/stream?symbols={many}").status_code
