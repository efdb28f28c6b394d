"""Schedules: cron expressions, the built-in ones, and how many bars a run requests.

A run is due, then begun (`starting` holds its key), then started (its job is known). The next run
is due after its job has ended. Any process may start a begun run: its key makes only one job.
"""

from dataclasses import dataclass, replace

from cronsim import CronSim, CronSimError

from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.intervals import Interval

MOST_CRON_CHARACTERS = 200

_FIELDS = "minute hour day-of-month month day-of-week"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Syncs of tracked series by cron; times are epoch seconds, None before the first.

    No intervals means all. `run_request` is the id of a run that a user requested and that has not
    begun; `has_open_job` is true until the end of the last job is noted.
    """

    name: str
    description: str
    cron: str
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


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """Changes of a schedule; None leaves a value unchanged."""

    cron: str | None = None
    n_bars: int | None = None
    paused: bool | None = None


def built_in_schedules(now: int) -> tuple[Schedule, ...]:
    """The schedules of every installation, before users change them."""
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
    )


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


def changed(schedule: Schedule, change: ScheduleChange, now: int) -> Schedule:
    """The changed schedule.

    A new cron, or the end of a pause, computes the next run from `now`: runs during a pause are not
    made up for. Otherwise a due run stays due.
    """
    cron = schedule.cron if change.cron is None else change.cron
    paused = schedule.paused if change.paused is None else change.paused
    counts_anew = cron != schedule.cron or (schedule.paused and not paused)
    return replace(
        schedule,
        cron=cron,
        n_bars=schedule.n_bars if change.n_bars is None else change.n_bars,
        paused=paused,
        next_run_at=next_run(cron, now) if counts_anew else schedule.next_run_at,
    )


def due_run(schedule: Schedule, now: int) -> str | None:
    """The key of the due run; None if there is none, or the last run has not ended.

    A run that a user requested is due even if the schedule is paused.
    """
    if schedule.starting or schedule.has_open_job:
        return None
    if _is_time(schedule, now):
        return f"schedule:{schedule.name}:{schedule.next_run_at}"
    return f"schedule:{schedule.name}:{schedule.run_request}" if schedule.run_request else None


def begun(schedule: Schedule, key: str, now: int) -> Schedule:
    """The schedule after its run `key` has begun; all missed runs are this one run.

    A run by cron also fulfils an earlier request.
    """
    is_time = _is_time(schedule, now)
    return replace(
        schedule,
        next_run_at=next_run(schedule.cron, now) if is_time else schedule.next_run_at,
        run_request=None,
        starting=key,
        last_run_at=now,
    )


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
