"""Schedules go by the markets: each after its own close, and none while it is closed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import HOUR, Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.schedules import ScheduleChange, new_schedule
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import SyncReport
from pocketquant.wiring import Platform

PAUSED = ScheduleChange(paused=True)
NEW_YORK = CalendarTexts("America/New_York", "0930-1600", "20260302", "0930-1300:20260303")
TOKYO = CalendarTexts("Asia/Tokyo", "0900-1530")
MONDAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())  # a holiday in New York


@pytest.fixture
def markets(wired: Platform) -> Platform:
    """Two markets with a daily series each, synced up to Sunday; after-close alone runs."""
    for name, texts in (("NYSE:A", NEW_YORK), ("TSE:B", TOKYO)):
        series = Series(Symbol.parse(name), Interval.D1)
        wired.symbols.register(Listing(series.symbol), Interval.D1, MONDAY)
        wired.calendars.keep(series.symbol, texts, None, MONDAY)
        synced(wired, series, MONDAY - 12 * HOUR)
    wired.schedules.make_defaults(MONDAY - 2 * HOUR)
    for name in ("all-series", "daily-series"):
        schedule = wired.schedules.get(name)
        assert schedule
        wired.schedules.change(schedule, PAUSED, MONDAY, never)
    return wired


def never(*_: object) -> None:
    """No market closes."""


def synced(platform: Platform, series: Series, now: int) -> None:
    platform.statuses.mark_completed(SyncReport(series, 0, 0, 0, 0, {}, 0, None, None), None, now)


@pytest.fixture
def tick(markets: Platform) -> Callable[[int], set[str]]:
    """A tick at a time; which series it has synced, each sync ending at once."""

    def run(now: int) -> set[str]:
        replace(markets.scheduler, now=lambda: datetime.fromtimestamp(now, UTC)).run_due()
        for job in list(markets.mongo["jobs"].find({"open": True})):
            markets.planner.plan(job["_id"])
        done = set()
        for found in list(markets.mongo["units"].find({"active": True})):
            unit = markets.ledger.claim(found["_id"])
            assert unit
            report = SyncReport(unit.request.series, 0, 0, 0, 0, {}, 0, None, None)
            markets.statuses.mark_completed(report, None, now, unit.lease)
            markets.ledger.finish(unit, report)
            done.add(str(unit.request.series))
        return done

    return run


@pytest.fixture
def ticks(tick: Callable[[int], set[str]]) -> Callable[[int, int], list[tuple[str, str]]]:
    """Ticks every five minutes; which series were synced when."""

    def run(start: int, end: int) -> list[tuple[str, str]]:
        return [
            (f"{datetime.fromtimestamp(now, UTC):%a %H:%M}", name)
            for now in range(start, end, 300)
            for name in sorted(tick(now))
        ]

    return run


def test_each_market_is_synced_after_its_own_close(
    ticks: Callable[[int, int], list[tuple[str, str]]],
) -> None:
    """A quarter of an hour later, early closes included; on a holiday it is left alone."""
    expected = [
        ("Mon 06:45", "TSE:B|1d"),
        ("Tue 06:45", "TSE:B|1d"),
        ("Tue 18:15", "NYSE:A|1d"),
        ("Wed 06:45", "TSE:B|1d"),
        ("Wed 21:15", "NYSE:A|1d"),
    ]
    assert expected == ticks(MONDAY, MONDAY + 3 * 24 * HOUR)


def test_a_market_without_a_calendar_closes_at_midnight_utc(
    markets: Platform, ticks: Callable[[int, int], list[tuple[str, str]]]
) -> None:
    """One whose calendar is doubtful, too; it is seen within the hour."""
    markets.calendars.forget(Symbol.parse("NYSE:A"))
    markets.calendars.doubt(Symbol.parse("TSE:B"), Interval.D1, MONDAY)
    ticks(MONDAY, MONDAY + 2 * HOUR)
    seen = ticks(MONDAY + 2 * HOUR, MONDAY + 27 * HOUR)
    assert ["NYSE:A|1d", "TSE:B|1d"] == [name for _, name in seen]
    assert all(when.startswith(("Tue 00", "Tue 01")) for when, _ in seen)


def test_a_closed_market_is_not_asked_again(
    markets: Platform, tick: Callable[[int], set[str]]
) -> None:
    """By cron, a series is left out while its market was closed since its last sync."""
    hourly = ScheduleChange(cron="0 * * * *")
    made = new_schedule("hourly", "", 10, hourly, MONDAY, never)
    markets.schedules.add(made)
    assert {"TSE:B|1d"} == tick(MONDAY + 5 * HOUR)  # in Tokyo's session; New York has a holiday


def test_a_run_by_hand_syncs_closed_markets_too(
    markets: Platform, tick: Callable[[int], set[str]]
) -> None:
    """The user knows why."""
    markets.schedules.request_run("after-close")
    assert {"NYSE:A|1d", "TSE:B|1d"} == tick(MONDAY - HOUR - 300)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ScheduleChange(cron="0 * * * *", exchange="TSE"), {"TSE:B|1d"}),
        (ScheduleChange(cron="0 * * * *", symbols=("TSE:B",)), {"TSE:B|1d"}),
        (
            ScheduleChange(
                cron="0 * * * *", symbols=("TSE:B", "TSE:C"), intervals=(Interval.H1, Interval.M1)
            ),
            {"TSE:B|1h", "TSE:B|1m", "TSE:C|1h", "TSE:C|1m"},
        ),
    ],
)
def test_a_schedule_of_a_user_has_its_own_series(
    markets: Platform,
    tick: Callable[[int], set[str]],
    change: ScheduleChange,
    expected: set[str],
) -> None:
    """Tracked ones of an exchange, or named symbols at any interval."""
    markets.schedules.add(new_schedule("own", "", 10, change, MONDAY, never))
    assert expected == tick(MONDAY + 5 * HOUR)
