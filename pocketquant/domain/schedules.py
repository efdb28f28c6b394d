"""What runs when: cron expressions, the built-in schedules, and how many bars a run asks for.

A run goes from due to begun (`starting` holds its key) to started (its job is known), and no
other is due before its job has ended. Whoever finds a run begun may start it: its key makes one
job only.
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
    """Syncs of the tracked series at set times; times in epoch seconds, None where there was none.

    No intervals means all. `run_request` is the id of a run that was asked for by hand and has not
    begun; `has_open_job` holds until the end of the last job was noted.
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
    """What a user wants otherwise; None leaves it as it is."""

    cron: str | None = None
    n_bars: int | None = None
    paused: bool | None = None


def built_in_schedules(now: int) -> tuple[Schedule, ...]:
    """The schedules every installation has, as they are before anybody changes them."""
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
    """The first time after `after` that the five fields of `cron` allow, in UTC.

    InvalidRequest names the field that is wrong, or says that the time never comes.
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
    """The schedule as it is to be.

    A new cron counts from `now`, and so does a schedule that is resumed: what fell into its pause
    was not missed. Otherwise a run that is due stays due.
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
    """The key of the run that is due; None where none is, or the last one still goes on.

    A run asked for by hand is due though the schedule is paused.
    """
    if schedule.starting or schedule.has_open_job:
        return None
    if _is_time(schedule, now):
        return f"schedule:{schedule.name}:{schedule.next_run_at}"
    return f"schedule:{schedule.name}:{schedule.run_request}" if schedule.run_request else None


def begun(schedule: Schedule, key: str, now: int) -> Schedule:
    """The schedule whose run `key` begins: however many times were missed, they are one run.

    A run at its time serves a request made before it, too.
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
    """How many of the newest bars hold, at `until`, all that the store lacks; at most `most`.

    They are those that can have opened since the last stored one, that one again for corrections,
    and one to spare, since openings shift with daylight saving and with the first trading day of
    a week or month. Rounded up, for some months are shorter than the nominal one.
    """
    if last_bar_at is None:
        return most
    opened = -((last_bar_at - until) // interval.seconds)
    return min(max(opened, 0) + 2, most)


def _is_time(schedule: Schedule, now: int) -> bool:
    return not schedule.paused and schedule.next_run_at <= now
