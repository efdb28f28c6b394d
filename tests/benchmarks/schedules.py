"""Counts the fetches that closed markets save in a simulated week of the built-in schedules.

Ours go by the markets. The peer is the same schedules without any calendar: every market may always
trade, and closes at midnight UTC. Time is virtual: a tick each five minutes, and each sync ends at
once. Each symbol tracks hours and days. The week before is simulated too, and not counted.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pocketquant.domain.calendar import Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.intervals import MINUTE, WEEK, Interval
from pocketquant.domain.schedules import (
    Schedule,
    begun,
    built_in_schedules,
    due_run,
    has_closed,
    has_traded_since,
)
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized
from tests.unit.domain.calendar import texts

TICK_SECONDS = 5 * MINUTE
PLAIN_WEEK = int(datetime(2026, 11, 9, tzinfo=UTC).timestamp())
THANKSGIVING = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
WEEKS = sized({"": PLAIN_WEEK, ", Thanksgiving": THANKSGIVING}, {"": PLAIN_WEEK})


@dataclass(frozen=True, slots=True)
class Market:
    """Symbols of equal hours."""

    name: str
    symbols: int
    hours: CalendarTexts


FLEET = (
    Market("100 stocks", 100, texts.AAPL),
    Market("20 currency pairs", 20, texts.FX),
    Market("20 futures", 20, texts.ES),
    Market("60 crypto pairs", 60, texts.CRYPTO),
)


def run() -> list[Row]:
    """Numbers of fetches: of all, of each schedule, and for each kind of market."""
    rows: list[Row] = []
    for suffix, week in WEEKS.items():
        ours = fetches(week, {each.name: parse_calendar(each.hours) for each in FLEET})
        peer = fetches(week, dict.fromkeys((each.name for each in FLEET), None))
        rows.append(Row(f"all{suffix}", ours.total() / 2, peer.total() / 2, "fetches"))
        rows += [Row(f"{name}{suffix}", ours[name], peer[name], "fetches") for name in peer]
    return rows


def fetches(week: int, calendars: dict[str, Calendar | None]) -> Counter[str]:
    """Return the fetches of a week by schedule, and again by market."""
    counts: Counter[str] = Counter()
    synced: dict[tuple[str, Interval], int] = {}
    schedules = list(built_in_schedules(week - WEEK))

    def next_close(_: Schedule, time: int) -> int | None:
        closes = [each.next_close(time) for each in calendars.values() if each]
        return min((close for close in closes if close is not None), default=None)

    for now in range(week - WEEK, week + WEEK, TICK_SECONDS):
        for number, schedule in enumerate(schedules):
            key = due_run(schedule, now)
            if key is None:
                continue
            run = schedules[number] = replace(begun(schedule, key, now, next_close), starting=None)
            for market in FLEET:
                for interval in run.intervals or (Interval.H1, Interval.D1):
                    calendar, series = calendars[market.name], (market.name, interval)
                    if not has_closed(run, calendar):
                        continue
                    if has_traded_since(calendar, synced.get(series), now):
                        synced[series] = now
                        counts[run.name] += market.symbols * (now >= week)
                        counts[market.name] += market.symbols * (now >= week)
    return counts
