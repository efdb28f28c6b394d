"""`POST ohlcv`: bars that users import."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import HOUR, MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.wiring import Platform

OHLCV = "/api/v1/market-data/ohlcv/MINE/AAPL"
BAR = {"open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5, "volume": 7}


def days(*texts: str, **changes: Any) -> list[dict[str, Any]]:
    """Daily bars of these days, opening with the session."""
    return [{"datetime": f"{text}T14:30:00Z", **BAR, **changes} for text in texts]


def imported(client: FlaskClient, bars: list[dict[str, Any]], interval: str = "1d") -> Any:
    """Imports bars and returns the report."""
    answer = client.post(OHLCV, json={"interval": interval, "bars": bars})
    assert 200 == answer.status_code, answer.json
    return answer.json


def test_imported_bars_are_stored_and_returned(client: FlaskClient, platform: Platform) -> None:
    """They replace cached answers at once; importing them again changes nothing."""
    assert 404 == client.get(f"{OHLCV}?interval=1d").status_code
    report = imported(client, days("2020-01-03", "2020-01-02"))
    assert (2, 0, 0, 0) == tuple(
        report[name] for name in ("inserted", "changed", "unchanged", "refused")
    )
    assert "2020-01-02T14:30:00Z" == report["first_bar_at"]
    assert 2 == client.get(f"{OHLCV}?interval=1d").json["count"]
    again = imported(client, [*days("2020-01-02"), *days("2020-01-03", close=2.0)])
    assert (0, 1, 1) == tuple(again[name] for name in ("inserted", "changed", "unchanged"))
    assert 2.0 == client.get(f"{OHLCV}?interval=1d&limit=1").json["data"][0]["close"]
    status = platform.statuses.get(Series.parse("MINE:AAPL|1d"))
    assert status is not None
    assert (2, 1_577_975_400) == (status.bar_count, status.first_bar_at)


def test_an_import_registers_the_symbol_without_tracking_it(
    client: FlaskClient, platform: Platform
) -> None:
    """No schedule syncs it."""
    imported(client, days("2020-01-02"))
    known = client.get("/api/v1/market-data/symbols/MINE/AAPL").json
    assert (True, []) == (known["active"], known["intervals"])
    assert [] == list(platform.symbols.tracked(()))


def test_bad_bars_are_refused_one_by_one(client: FlaskClient) -> None:
    """Each has its index and its reason; the good bars are stored."""
    bars = [
        *days("2020-01-02"),
        *days("2020-01-03", high=0.5),
        {"datetime": "2020-01-02T00:00:00Z", **BAR},
        *days("2999-01-01"),
    ]
    report = imported(client, bars)
    assert (1, 3) == (report["inserted"], report["refused"])
    reasons = {each["index"]: each["reason"] for each in report["refusals"]}
    assert {0: "overlapping", 1: "inconsistent", 3: "not_closed"} == reasons
    assert "2020-01-03T14:30:00Z" == report["refusals"][1]["datetime"]
    again = imported(client, days("2999-01-01"))
    assert (0, 1, 1) == tuple(again[name] for name in ("inserted", "refused", "bar_count"))


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
def test_a_malformed_import_is_422(client: FlaskClient, body: Any) -> None:
    """No bar is stored."""
    assert 422 == client.post(OHLCV, json=body).status_code
    assert 404 == client.get(f"{OHLCV}?interval=1d").status_code


def test_volumes_may_be_unknown(client: FlaskClient) -> None:
    """They are null in answers too."""
    imported(client, days("2020-01-02", "2020-01-03", volume=None))
    bars = client.get(f"{OHLCV}?interval=1d").json["data"]
    assert [None, None] == [bar["volume"] for bar in bars]


def test_a_bar_that_would_hide_live_bars_is_refused(
    client: FlaskClient, platform: Platform
) -> None:
    """History would end after them, and they would no longer be returned."""
    opened = 1_599_998_400  # 12:00
    prices = (2.0, 3.0, 1.0, 2.5, 7.0, 3, False, opened, opened)
    live = LiveBar("MINE:AAPL", Interval.H1, opened, opened + 3600, *prices)
    platform.live_bars.upsert([live])
    times = ("2020-09-13T10:30:00Z", "2020-09-13T14:30:00Z")
    report = imported(client, [{"datetime": time, **BAR} for time in times], "1h")
    assert ["hides_live"] == [each["reason"] for each in report["refusals"]]
    assert 2 == client.get(f"{OHLCV}?interval=1h").json["count"]


def test_todays_bar_is_refused_until_its_session_is_over(platform: Platform) -> None:
    """The hours are those noted by a sync; a bar that is stored already may be changed."""
    series = Series.parse("MINE:AAPL|1d")
    texts = CalendarTexts("America/New_York", "0930-1600")
    platform.calendars.keep(series.symbol, texts, None, now=0)
    opened = 1_577_975_400  # Thursday, 2020-01-02, 9:30 in New York
    columns = np.array([[opened, 2.0, 3.0, 1.0, 2.5, 7.0]]).T

    def refusals(now: int) -> list[str]:
        importing = replace(platform.importing, clock=lambda: now)
        return [each.reason for each in importing.do(series, columns).refused]

    closed = opened + 6 * HOUR + 30 * MINUTE
    assert ["not_closed"] == refusals(closed - 1)
    assert [] == refusals(closed)
    assert [] == refusals(closed - 1)


def test_concurrent_imports_and_syncs_lose_no_bar(
    platform: Platform, client: FlaskClient, store: Callable[..., None]
) -> None:
    """The status of the series counts the bars of all of them."""
    name = "MINE:AAPL|1d"
    first = 1_577_975_400

    def import_some(number: int) -> None:
        moments = (first + 86_400 * (10 * number + day) for day in range(10))
        columns = np.array([[time, 2.0, 3.0, 1.0, 2.5, 7.0] for time in moments]).T
        platform.importing.do(Series.parse(name), columns)

    def sync(number: int) -> None:
        time = first - 86_400 * (number + 1)
        store(name, Bars(np.array([[time, 2.0, 3.0, 1.0, 2.5, 7.0]]).T))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(import_some, range(8)))
        list(pool.map(sync, range(1)))
    import_some(0)
    status = platform.statuses.get(Series.parse(name))
    assert status is not None
    assert (81, 81) == (status.bar_count, platform.bars.count(Series.parse(name)))
    assert 81 == client.get(f"{OHLCV}?interval=1d").json["count"]
