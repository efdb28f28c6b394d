"""Schedules: when they run, which series they sync, and how many bars a run requests.

A schedule runs by a cron expression, or after each market's own close. A run goes from due to begun
(`starting` holds its key) to started (its job is known), and no other is due before its job has
ended. Any process that finds a run begun may start it: its key makes one job only.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from cronsim import CronSim, CronSimError

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.symbols import Series, Symbol

MOST_CRON_CHARACTERS = 200
MOST_MINUTES_AFTER_CLOSE = 24 * 60
NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"

_FIELDS = "minute hour day-of-month month day-of-week"
_REQUESTED = ":request:"  # in the key of a run; no name has a colon
_SETTLED_SECONDS = HOUR  # after a close, until the provider has the auction and a delayed feed


@dataclass(frozen=True, slots=True)
class Schedule:
    """Syncs at set times; times in epoch seconds, None where there was none.

    It has a `cron` or `after_close_minutes`. Without `symbols` it syncs the tracked series of
    active symbols, of one exchange or of all; with them, these symbols. No intervals means all that
    are tracked.

    A run after a close syncs markets that closed after `closes_from`, until `closes_until`; without
    `closes_from` it syncs all. `run_request` is the id of a run that a user requested and that has
    not begun; `has_open_job` holds until the end of the last job was noted.
    """

    name: str
    description: str
    cron: str | None
    n_bars: int
    intervals: tuple[Interval, ...]
    next_run_at: int
    paused: bool = False
    run_request: str | None = None
    starting: str | None = None
    last_run_at: int | None = None
    last_job_id: str | None = None
    has_open_job: bool = False
    last_success_at: int | None = None
    after_close_minutes: int | None = None
    exchange: str | None = None
    symbols: tuple[str, ...] = ()
    closes_from: int | None = None
    closes_until: int | None = None

    @property
    def is_requested(self) -> bool:
        """Whether a user requested the begun run; it syncs series of closed markets too."""
        return _REQUESTED in (self.starting or "")

    def selects(self, series: Series) -> bool:
        """Whether it syncs this series, if that is tracked."""
        named = str(series.symbol) in self.symbols if self.symbols else True
        exchange = self.exchange in {None, series.symbol.exchange}
        return named and exchange and (not self.intervals or series.interval in self.intervals)


NextClose = Callable[[Schedule, int], int | None]  # first close of its markets after a time


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """Changes that a user wants; None leaves a field as it is.

    A `cron` takes the place of `after_close_minutes`, and the other way round; so do `symbols` and
    an `exchange`. An empty exchange stands for all.
    """

    cron: str | None = None
    n_bars: int | None = None
    paused: bool | None = None
    after_close_minutes: int | None = None
    intervals: tuple[Interval, ...] | None = None
    exchange: str | None = None
    symbols: tuple[str, ...] | None = None


def built_in_schedules(now: int) -> tuple[Schedule, ...]:
    """Return the schedules that every installation has, as they are before any change."""
    six_hourly, in_business_hours = "0 */6 * * *", "0 9-17 * * 1-5"
    return (
        Schedule(
            name="all-series",
            description="every tracked series of every active symbol",
            cron=six_hourly,
            n_bars=500,
            intervals=(),
            next_run_at=next_run(six_hourly, now),
        ),
        Schedule(
            name="daily-series",
            description="the tracked daily series of every active symbol",
            cron=in_business_hours,
            n_bars=10,
            intervals=(Interval.D1,),
            next_run_at=next_run(in_business_hours, now),
        ),
        Schedule(
            name="after-close",
            description="the tracked daily series of each market, after its own close",
            cron=None,
            n_bars=10,
            intervals=(Interval.D1,),
            next_run_at=now + HOUR,
            after_close_minutes=15,
            closes_until=now - 15 * MINUTE,
        ),
    )


def is_built_in(name: str) -> bool:
    """Return whether every installation has a schedule of this name."""
    return name in built_in_names()


@cache
def built_in_names() -> frozenset[str]:
    """Return the names of the schedules that every installation has."""
    return frozenset(each.name for each in built_in_schedules(0))


def new_schedule(
    name: str, description: str, n_bars: int, change: ScheduleChange, now: int, closes: NextClose
) -> Schedule:
    """Return a schedule of a user's; raise InvalidRequest if it has no name or no times."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidRequest(
            f"name {name[:80]!r} is not 1 to 64 small letters, digits, hyphens and underscores"
        )
    if change.cron is None and change.after_close_minutes is None:
        raise InvalidRequest("cron or after_close_minutes: one of them is needed")
    blank = Schedule(name, description, None, n_bars, (), next_run_at=now)
    return changed(blank, change, now, closes)


def next_run(cron: str, after: int) -> int:
    """The first epoch second after `after` that matches the five fields of `cron` in UTC.

    InvalidRequest names the wrong field, or says that no time matches.
    """
    fields = cron.split()
    if len(fields) != 5 or len(cron) > MOST_CRON_CHARACTERS or not cron.isascii():
        raise InvalidRequest(
            f"cron {cron[:80]!r} is not five fields, {_FIELDS},"
            f" in at most {MOST_CRON_CHARACTERS} characters"
        )
    try:
        moment = next(CronSim(cron, to_date(after)), None)
    except CronSimError as error:
        raise InvalidRequest(f"cron {cron!r} has a {str(error).lower()}") from error
    if moment is None:
        raise InvalidRequest(f"cron {cron!r} names a day that never comes")
    return to_seconds(moment)


def following_run(schedule: Schedule, after: int, closes: NextClose) -> int:
    """Return when a schedule runs next after a time.

    One that waits for a close looks again within the hour: a market that it does not know yet may
    have been added.
    """
    if schedule.cron is not None:
        return next_run(schedule.cron, after)
    delay = _delay(schedule)
    close = closes(schedule, after - delay)
    latest = after + HOUR
    return latest if close is None else min(close + delay, latest)


def changed(schedule: Schedule, change: ScheduleChange, now: int, closes: NextClose) -> Schedule:
    """Return the schedule as a user wants it.

    New times count from `now`, and so does a schedule that is resumed: runs of its pause were not
    missed. Otherwise a run that is due stays due.
    """
    if change.cron is not None and change.after_close_minutes is not None:
        raise InvalidRequest("cron and after_close_minutes: a schedule has one of them")
    if change.exchange and change.symbols:
        raise InvalidRequest("exchange and symbols: a schedule has one of them")
    wanted = schedule
    if change.cron is not None:
        wanted = replace(wanted, cron=change.cron, after_close_minutes=None)
    if change.after_close_minutes is not None:
        wanted = replace(wanted, cron=None, after_close_minutes=change.after_close_minutes)
    if change.exchange is not None:
        wanted = replace(wanted, exchange=change.exchange or None, symbols=())
    if change.symbols is not None:
        exchange = None if change.symbols else wanted.exchange
        wanted = replace(wanted, exchange=exchange, symbols=change.symbols)
    wanted = replace(
        wanted,
        n_bars=schedule.n_bars if change.n_bars is None else change.n_bars,
        paused=schedule.paused if change.paused is None else change.paused,
        intervals=schedule.intervals if change.intervals is None else change.intervals,
    )
    for symbol, interval in product(map(Symbol.parse, wanted.symbols), wanted.intervals):
        Series(symbol, interval).require_bars()
    is_resumed = schedule.paused and not wanted.paused
    if _times(wanted) == _times(schedule) and not is_resumed:
        return wanted
    until = None if wanted.cron is not None else now - _delay(wanted)
    next_run_at = following_run(wanted, now, closes)
    return replace(wanted, next_run_at=next_run_at, closes_until=until)


def due_run(schedule: Schedule, now: int) -> str | None:
    """The key of the due run; None if there is none, or the last run has not ended.

    A run that a user requested is due even if the schedule is paused.
    """
    if schedule.starting or schedule.has_open_job:
        return None
    if _is_time(schedule, now):
        return f"schedule:{schedule.name}:{schedule.next_run_at}"
    if schedule.run_request is None:
        return None
    return f"schedule:{schedule.name}{_REQUESTED}{schedule.run_request}"


def begun(schedule: Schedule, key: str, now: int, closes: NextClose) -> Schedule:
    """Return the schedule whose run `key` begins: several missed times are one run.

    A run by cron also fulfils an earlier request.
    """
    run = replace(schedule, run_request=None, starting=key, last_run_at=now, closes_from=None)
    if not _is_time(schedule, now):
        return run
    run = replace(run, next_run_at=following_run(schedule, now, closes))
    if schedule.cron is not None:
        return run
    until = now - _delay(schedule)
    since = until - DAY if schedule.closes_until is None else schedule.closes_until
    return replace(run, closes_from=since, closes_until=until)


def has_closed(schedule: Schedule, calendar: Calendar | None) -> bool:
    """Return whether a market closed in the time that the begun run covers.

    Without a calendar it closes at midnight UTC.
    """
    since, until = schedule.closes_from, schedule.closes_until
    if schedule.cron is not None or since is None or until is None:
        return True
    if calendar is None:
        return until - until % DAY > since
    close = calendar.next_close(since)
    return close is not None and close <= until


def has_traded_since(calendar: Calendar | None, last_sync_at: int | None, now: int) -> bool:
    """Return whether a market may have new bars since the last sync; False while it is closed.

    Bars settle for an hour after the close. Without a calendar the market may always trade.
    """
    if calendar is None or last_sync_at is None:
        return True
    session = calendar.latest_session(now)
    return session is None or last_sync_at < session.close + _SETTLED_SECONDS


def bars_to_fetch(last_bar_at: int | None, until: int, interval: Interval, most: int) -> int:
    """How many of the newest bars include, at `until`, all that the store lacks; at most `most`.

    They are the bars that can have opened since the last stored one, that one again for
    corrections, and a spare one, since opens shift with daylight saving and with the first trading
    day of a week or month. Rounded up, as some months are shorter than the nominal one.
    """
    if last_bar_at is None:
        return most
    opened = -((last_bar_at - until) // interval.seconds)
    return min(max(opened, 0) + 2, most)


def _is_time(schedule: Schedule, now: int) -> bool:
    return not schedule.paused and schedule.next_run_at <= now


def _delay(schedule: Schedule) -> int:
    return (schedule.after_close_minutes or 0) * MINUTE


def _times(schedule: Schedule) -> tuple[str | None, int | None]:
    return schedule.cron, schedule.after_close_minutes
