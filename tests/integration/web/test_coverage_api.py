"""Coverage, holes and repairs over REST."""

import time
from datetime import UTC, datetime

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.backfills import Reach
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import Stop, SyncReport
from pocketquant.storage.bars import Extent
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.wiring import Platform

API = "/api/v1/market-data"
SERIES = Series.parse("NASDAQ:AAPL|1d")
HOURS = CalendarTexts("America/New_York", "0930-1600")
SYMBOL = {"exchange": "NASDAQ", "symbol": "AAPL"}


def opens(*days: int) -> list[int]:
    """When the days of November 2023 open."""
    return [int(datetime(2023, 11, day, 14, 30, tzinfo=UTC).timestamp()) for day in days]


@pytest.fixture
def stored(platform: Platform) -> list[int]:
    """Two weeks that were fetched, but for a Tuesday without a trade and two days between."""
    platform.calendars.keep(SERIES.symbol, HOURS, None, now=0)
    kept = KeptCoverage()
    for days in ((6, 8, 9), (14, 15, 16, 17)):
        bars = Bars(np.array([opens(*days)] * 6, dtype=np.float64))
        stretch = (opens(days[0])[0], opens(days[-1])[0] + 1)
        kept = kept.after(SERIES, bars, stretch, 1_700_000_000, is_all=False)
        platform.bars.upsert({SERIES: bars})
    extent = platform.bars.extent(SERIES)
    report = SyncReport(SERIES, 7, 7, 0, 0, {}, extent.count, extent.first_time, extent.last_time)
    platform.statuses.mark_completed(report, None, 1_700_000_000, kept=kept)
    return [each.start for each in kept.coverage.ranges]


def test_what_was_fetched_is_listed(client: FlaskClient, stored: list[int]) -> None:
    """In order of time, with the moment of the last fetch; 404 for an unknown series."""
    answer = client.get(f"{API}/coverage/NASDAQ/AAPL").get_json()
    assert ["2023-11-06T14:30:00Z", "2023-11-14T14:30:00Z"] == [
        each["start"] for each in answer["ranges"]
    ]
    assert 2 == len(stored)
    assert {"complete"} == {each["state"] for each in answer["ranges"]}
    assert {"2023-11-14T22:13:20Z"} == {each["asked_at"] for each in answer["ranges"]}
    assert 404 == client.get(f"{API}/coverage/NASDAQ/AAPL?interval=1h").status_code
    assert 404 == client.get(f"{API}/holes/NASDAQ/AAPL?interval=1h").status_code


@pytest.mark.usefixtures("stored")
def test_holes_are_told_from_days_without_a_trade(client: FlaskClient) -> None:
    """Weekends are neither."""
    answer = client.get(f"{API}/holes/NASDAQ/AAPL?end=2023-11-20").get_json()
    hole = {
        "first_bar_at": "2023-11-10T14:30:00Z",
        "last_bar_at": "2023-11-13T14:30:00Z",
        "bars": 2,
        "reason": "not_fetched",
    }
    untraded = {
        "first_bar_at": "2023-11-07T14:30:00Z",
        "last_bar_at": "2023-11-07T14:30:00Z",
        "bars": 1,
    }
    assert ([hole], 1, 2) == tuple(answer[name] for name in ("holes", "hole_count", "missing_bars"))
    assert ([untraded], 1, 1) == tuple(
        answer[name] for name in ("untraded", "untraded_count", "untraded_bars")
    )
    assert ("2023-11-06T14:30:00Z", "2023-11-20T00:00:00Z", None) == tuple(
        answer[name] for name in ("start", "end", "calendar_problem")
    )


@pytest.mark.usefixtures("stored")
def test_a_limit_lists_the_newest_holes(client: FlaskClient) -> None:
    """All are counted. What was not synced since is one of them."""
    answer = client.get(f"{API}/holes/NASDAQ/AAPL?limit=1").get_json()
    assert ["not_synced"] == [each["reason"] for each in answer["holes"]]
    assert 2 == answer["hole_count"]


@pytest.mark.usefixtures("stored")
def test_without_a_trusted_calendar_nothing_is_listed(
    client: FlaskClient, platform: Platform
) -> None:
    """The answer says why."""
    platform.calendars.doubt(SERIES.symbol, SERIES.interval, 1_700_000_000)
    answer = client.get(f"{API}/holes/NASDAQ/AAPL").get_json()
    assert (0, []) == (answer["hole_count"], answer["holes"])
    assert "2023-11-14" in answer["calendar_problem"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "query", ["start=2023-11-30&end=2023-11-30", "start=2199-01-01", "limit=0", "interval=2d"]
)
def test_a_query_that_has_no_answer_is_refused(client: FlaskClient, query: str) -> None:
    """422, naming the field."""
    answer = client.get(f"{API}/holes/NASDAQ/AAPL?{query}")
    assert 422 == answer.status_code, answer.get_json()


def test_the_quality_of_all_series_is_listed(
    client: FlaskClient, platform: Platform, stored: list[int]
) -> None:
    """By what was fetched: bars between, bars since, and bars that are stored no more."""
    assert 2 == len(stored)
    (whole,) = client.get(f"{API}/quality").get_json()
    assert (1, 2, 0, False, None) == tuple(
        whole[name]
        for name in ("gaps", "not_fetched_bars", "lost_bars", "limited", "calendar_problem")
    )
    weekdays = (time.time() - opens(17)[0]) / 86400 * 5 / 7
    assert abs(weekdays - whole["late_bars"]) < 10
    assert ("2023-11-06T14:30:00Z", "completed", 7) == tuple(
        whole[name] for name in ("fetched_from", "status", "bar_count")
    )
    platform.bars.delete(SERIES)
    (lost,) = client.get(f"{API}/quality?symbol=AAPL&exchange=NASDAQ&interval=1d").get_json()
    assert 7 == lost["lost_bars"]


def test_quality_has_the_limit_that_a_sync_has_met(client: FlaskClient, platform: Platform) -> None:
    """Quality shows the limit of the series, else the plan's, which bounds intraday bars only."""
    names = ("NASDAQ:AAPL|1h", "NYSE:IBM|1m", "NYSE:IBM|1d")
    apple, minutes, days = (Series.parse(name) for name in names)
    for series, asked_at, bars in ((apple, 5, 9_999), (minutes, 9, 19_999)):
        met = Reach(Stop.LIMIT, 0, bars, asked_at)
        platform.statuses.mark_stored(series, Extent(), None, is_last=True, reach=met)
    for series in (days, Series.parse("NYSE:XYZ|1h")):
        platform.statuses.mark_stored(series, Extent(), None, is_last=True)
    rows = client.get(f"{API}/quality").get_json()
    found = {f"{row['exchange']}:{row['symbol']}|{row['interval']}": row for row in rows}
    limits = {name: row["limit_bars"] for name, row in found.items()}
    assert {**dict(zip(names, (9_999, 19_999, None), strict=True)), "NYSE:XYZ|1h": 19_999} == limits


@pytest.mark.usefixtures("stored")
def test_only_series_in_trouble_can_be_listed(client: FlaskClient, platform: Platform) -> None:
    """With gaps, with a doubtful calendar, or stale; counts are null without a calendar."""
    other = Series.parse("NYSE:IBM|1d")
    report = SyncReport(other, 0, 0, 0, 0, {}, 0, None, None)
    platform.statuses.mark_completed(report, None, 1_800_000_000, calendar_problem="it is new")

    def listed(query: str) -> list[str]:
        answer = client.get(f"{API}/quality?{query}")
        return [each["symbol"] for each in answer.get_json()]

    never = Series.parse("NYSE:KO|1d")
    platform.statuses.mark_pending([never], "job")
    assert ["AAPL", "IBM", "KO"] == listed("")
    assert ["KO"] == listed("never_synced=true")
    assert ["AAPL"] == listed("gaps=true")
    assert ["IBM"] == listed("doubtful=true")
    assert [] == listed("gaps=true&doubtful=true")
    assert ["AAPL", "KO"] == listed("stale_before=2025-01-01")
    assert ["IBM"] == listed("page=2&page_size=1")
    (unknown,) = client.get(f"{API}/quality?doubtful=true").get_json()
    assert (None, None, None, 0) == tuple(
        unknown[name] for name in ("fetched_from", "not_fetched_bars", "late_bars", "gaps")
    )


def kept_until(
    platform: Platform, name: str, end: int, interval: str = "1m", *, refused: int = 0
) -> Series:
    """Store that minutes around the clock were fetched for a day until then."""
    series = Series.parse(f"{name}|{interval}")
    bars = Bars(np.array([[end - 86400, end - 60]] * 6, dtype=np.float64))
    stretch = (end - 86400, end)
    listing = Listing(series.symbol, hours=CalendarTexts("Etc/UTC", "24x7"))
    kept = KeptCoverage().after(series, bars, stretch, end, is_all=False)
    kept = kept.foreseen(listing, series.interval, end)
    report = SyncReport(series, 2, 2, 0, 0, {"bad_time": refused}, 2, end - 86400, end - 60)
    platform.statuses.mark_completed(report, None, end, kept=kept)
    return series


def test_series_are_listed_by_what_time_does_to_them(
    client: FlaskClient, platform: Platform
) -> None:
    """Stale ones, and those at risk: the provider serves 5000 minutes, which are 83 hours."""
    now = int(time.time()) // 60 * 60
    for name, hours, interval in (
        ("A:FRESH", 1, "1m"),
        ("A:STALE", 30, "1m"),
        ("A:RISK", 70, "1m"),
        ("A:LOSING", 100, "1m"),
        ("A:DAYS", 100, "1d"),
    ):
        kept_until(platform, name, now - 3600 * hours, interval, refused=int(name == "A:STALE"))

    def listed(query: str) -> set[str]:
        answer = client.get(f"{API}/quality?{query}")
        assert 200 == answer.status_code, answer.get_json()
        return {each["symbol"] for each in answer.get_json()}

    assert {"STALE", "RISK", "LOSING", "DAYS"} == listed("stale=true")
    assert {"RISK", "LOSING"} == listed("at_risk=true")
    assert {"STALE"} == listed("refused=true")
    for name in ("A:RISK", "A:LOSING"):
        platform.symbols.register(Listing(Symbol.parse(name)), Interval.M1, now)
    hourly = {"cron": "0 * * * *", "symbols": ["A:RISK"], "name": "own"}
    assert 1 == client.post("/api/v1/schedules", json=hourly).get_json()["at_risk"]
    schedules = {each["name"]: each for each in client.get("/api/v1/schedules").get_json()}
    assert (2, 0) == tuple(schedules[name]["at_risk"] for name in ("all-series", "after-close"))
    rows = {each["symbol"]: each for each in client.get(f"{API}/quality").get_json()}
    assert [("RISK", True), ("LOSING", True)] == [
        (name, each["at_risk"]) for name, each in reversed(rows.items()) if each["at_risk"]
    ]
    served_until = datetime.fromisoformat(rows["RISK"]["served_until"]).timestamp()
    assert now - 70 * 3600 + 5000 * 60 == served_until
    assert (None, 1) == (rows["DAYS"]["served_until"], rows["STALE"]["refused_bars"])


@pytest.mark.usefixtures("stored")
def test_a_strip_shows_where_bars_are_missing(client: FlaskClient, platform: Platform) -> None:
    """In parts of one state, from the first fetched moment until now; none unless asked for."""
    assert [] == client.get(f"{API}/quality").get_json()[0]["strip"]
    (row,) = client.get(f"{API}/quality?strip=100").get_json()
    assert ["not_fetched", "not_synced"] == [each["state"] for each in row["strip"]]
    platform.bars.delete(SERIES)
    (row,) = client.get(f"{API}/quality?strip=1").get_json()
    assert "2023-11-06T14:30:00Z" == row["strip"][0]["start"]
    assert 422 == client.get(f"{API}/quality?strip=201").status_code


@pytest.mark.usefixtures("stored")
def test_a_repair_is_a_job_of_the_series_with_holes(
    client: FlaskClient, platform: Platform
) -> None:
    """Each is fetched back to its oldest hole; the same key gives the same job."""
    body = {"symbols": [SYMBOL, SYMBOL, {"exchange": "NYSE", "symbol": "IBM"}]}
    answer = client.post(f"{API}/repair", json=body, headers={"Idempotency-Key": "one"})
    assert 202 == answer.status_code, answer.get_json()
    job_id = answer.get_json()["job_id"]
    platform.planner.plan(job_id)
    (unit,), _ = platform.jobs.units(job_id, state=None, code=None, offset=0, limit=9)
    weekdays = (time.time() - opens(10)[0]) / 86400 * 5 / 7
    assert (SERIES, True) == (unit.request.series, abs(weekdays - unit.request.n_bars) < 10)
    again = client.post(f"{API}/repair", json=body, headers={"Idempotency-Key": "one"})
    assert job_id == again.get_json()["job_id"]


@pytest.mark.parametrize(
    "body", [{}, {"symbols": []}, {"symbols": [SYMBOL], "intervals": ["2d"]}, {"symbols": "AAPL"}]
)
def test_a_wrong_repair_is_refused(client: FlaskClient, body: dict[str, object]) -> None:
    """422, and no job is made."""
    assert 422 == client.post(f"{API}/repair", json=body).status_code
