"""Bars that users bring to the API."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import HOUR, MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Listing, Series
from pocketquant.wiring import Platform

OHLCV = "/api/v1/market-data/ohlcv/MINE/AAPL"
BAR = {"open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5, "volume": 7}


def days(*texts: str, **changes: Any) -> list[dict[str, Any]]:
    """Daily bars that open with the session."""
    return [{"datetime": f"{text}T14:30:00Z", **BAR, **changes} for text in texts]


def brought(client: FlaskClient, bars: list[dict[str, Any]], interval: str = "1d") -> Any:
    """The report of an import."""
    answer = client.post(OHLCV, json={"interval": interval, "bars": bars})
    assert 200 == answer.status_code, answer.json
    return answer.json


def test_bars_are_stored_and_told(client: FlaskClient, platform: Platform) -> None:
    """At once, also where an answer was cached; doing it again changes nothing."""
    assert 404 == client.get(f"{OHLCV}?interval=1d").status_code
    report = brought(client, days("2020-01-03", "2020-01-02"))
    assert (2, 0, 0, 0) == tuple(
        report[name] for name in ("inserted", "changed", "unchanged", "refused")
    )
    assert "2020-01-02T14:30:00Z" == report["first_bar_at"]
    assert 2 == client.get(f"{OHLCV}?interval=1d").json["count"]
    again = brought(client, [*days("2020-01-02"), *days("2020-01-03", close=2.0)])
    assert (0, 1, 1) == tuple(again[name] for name in ("inserted", "changed", "unchanged"))
    assert 2.0 == client.get(f"{OHLCV}?interval=1d&limit=1").json["data"][0]["close"]
    status = platform.statuses.get(Series.parse("MINE:AAPL|1d"))
    assert status is not None
    assert (2, 1_577_975_400) == (status.bar_count, status.first_bar_at)


def test_the_symbol_is_known_then_and_not_synced(client: FlaskClient, platform: Platform) -> None:
    """What was registered before stays as it was."""
    brought(client, days("2020-01-02"))
    known = client.get("/api/v1/market-data/symbols/MINE/AAPL").json
    assert (True, []) == (known["active"], known["intervals"])
    assert [] == list(platform.symbols.tracked(()))


def test_bad_bars_are_refused_one_by_one(client: FlaskClient) -> None:
    """Each with its place and its reason; the good ones are stored."""
    given = [
        *days("2020-01-02"),
        *days("2020-01-03", high=0.5),
        {"datetime": "2020-01-02T00:00:00Z", **BAR},
        *days("2999-01-01"),
    ]
    report = brought(client, given)
    assert (1, 3) == (report["inserted"], report["refused"])
    reasons = {each["index"]: each["reason"] for each in report["refusals"]}
    assert {0: "overlapping", 1: "inconsistent", 3: "not_closed"} == reasons
    assert "2020-01-03T14:30:00Z" == report["refusals"][1]["datetime"]
    nothing = brought(client, days("2999-01-01"))
    assert (0, 1, 1) == tuple(nothing[name] for name in ("inserted", "refused", "bar_count"))


@pytest.mark.parametrize(
    "body",
    [
        {"interval": "1d", "bars": []},
        {"interval": "7d", "bars": days("2020-01-02")},
        {"bars": days("2020-01-02")},
        {"interval": "1d", "bars": days("2020-01-02") * 5001},
        {"interval": "1d", "bars": days("2020-01-02", open="2.0")},
        {"interval": "1d", "bars": days("2020-01-02", open=None)},
        {"interval": "1d", "bars": days("2020-01-02", extra=1)},
        {"interval": "1d", "bars": [{**BAR, "datetime": "2020-01-02T14:30:00"}]},
        {"interval": "1d", "bars": [{**BAR, "datetime": 1577975400}]},
        {"interval": "1d", "bars": [{**BAR, "datetime": "2020-01-02T14:30:00.5Z"}]},
    ],
)
def test_what_are_no_bars_is_422(client: FlaskClient, body: Any) -> None:
    """And nothing is stored."""
    assert 422 == client.post(OHLCV, json=body).status_code
    assert 404 == client.get(f"{OHLCV}?interval=1d").status_code


def test_volumes_may_be_unknown(client: FlaskClient) -> None:
    """Then they are null in answers, too."""
    brought(client, days("2020-01-02", "2020-01-03", volume=None))
    told = client.get(f"{OHLCV}?interval=1d").json["data"]
    assert [None, None] == [bar["volume"] for bar in told]


def test_live_bars_are_not_hidden(client: FlaskClient, platform: Platform) -> None:
    """A bar after them would make history end behind them."""
    opened = 1_599_998_400  # 12:00
    prices = (2.0, 3.0, 1.0, 2.5, 7.0, 3, False, opened, opened)
    live = LiveBar("MINE:AAPL", Interval.H1, opened, opened + 3600, *prices)
    platform.live_bars.upsert([live])
    times = ("2020-09-13T10:30:00Z", "2020-09-13T14:30:00Z")
    report = brought(client, [{"datetime": time, **BAR} for time in times], "1h")
    assert ["hides_live"] == [each["reason"] for each in report["refusals"]]
    assert 2 == client.get(f"{OHLCV}?interval=1h").json["count"]


def test_todays_bar_is_closed_once_its_session_is_over(platform: Platform) -> None:
    """By the hours that a sync has noted, and where history has the bar already."""
    series = Series.parse("MINE:AAPL|1d")
    hours = {"timezone": "America/New_York", "session": "0930-1600"}
    platform.symbols.register(Listing(series.symbol, **hours), Interval.D1, now=0)
    opened = 1_577_975_400  # Thursday, 2020-01-02, 9:30 in New York
    columns = np.array([[opened, 2.0, 3.0, 1.0, 2.5, 7.0]]).T

    def refusals(now: int) -> list[str]:
        importing = replace(platform.importing, clock=lambda: now)
        return [each.reason for each in importing.do(series, columns).refused]

    closed = opened + 6 * HOUR + 30 * MINUTE
    assert ["not_closed"] == refusals(closed - 1)
    assert [] == refusals(closed)
    assert [] == refusals(closed - 1)


def test_imports_and_syncs_at_once_are_all_counted(
    platform: Platform, client: FlaskClient, store: Callable[..., None]
) -> None:
    """Of the same series, by several at a time: no bar is lost, and the status tells them all."""
    name = "MINE:AAPL|1d"
    first = 1_577_975_400

    def bring(number: int) -> None:
        moments = (first + 86_400 * (10 * number + day) for day in range(10))
        columns = np.array([[time, 2.0, 3.0, 1.0, 2.5, 7.0] for time in moments]).T
        platform.importing.do(Series.parse(name), columns)

    def sync(number: int) -> None:
        time = first - 86_400 * (number + 1)
        store(name, Bars(np.array([[time, 2.0, 3.0, 1.0, 2.5, 7.0]]).T))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bring, range(8)))
        list(pool.map(sync, range(1)))
    bring(0)
    status = platform.statuses.get(Series.parse(name))
    assert status is not None
    assert (81, 81) == (status.bar_count, platform.bars.count(Series.parse(name)))
    assert 81 == client.get(f"{OHLCV}?interval=1d").json["count"]
