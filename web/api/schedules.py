"""Schedules: listed, changed, paused and run at once."""

from collections.abc import Iterable
from http import HTTPStatus

from flask import url_for

from pocketquant.coordination.nudges import SCHEDULES_CHANNEL
from pocketquant.domain.errors import Conflict, NotFound
from pocketquant.domain.schedules import Schedule, is_built_in, new_schedule
from pocketquant.history.scheduler import Scheduler
from pocketquant.storage.access import Scope
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.schedules import Schedules
from pocketquant.storage.sync_status import AtRisk
from web.schemas.schedules import NewSchedule, ScheduleIn, ScheduleOut
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "schedules", __name__, url_prefix="/schedules", description="when series are brought up to date"
)


@blueprint.route("")
@blueprint.response(HTTPStatus.OK, schema_of(ScheduleOut, many=True))
def list_schedules() -> list[ScheduleOut]:
    """List the schedules

    Three are built in, `all-series`, `daily-series` and `after-close`: they can be changed and
    paused, but not removed.
    """
    with current_services().storage() as platform:
        now = _now(platform.scheduler)
        at_risk = platform.guard.at_risk(now)
        made = platform.schedules.made(now)
        return [_shown(platform.jobs, each, now, at_risk) for each in made]


@blueprint.route("", methods=["POST"], scope=Scope.ADMIN)
@blueprint.arguments(schema_of(NewSchedule))
@blueprint.response(HTTPStatus.CREATED, schema_of(ScheduleOut))
@blueprint.fails_with(HTTPStatus.CONFLICT)
def add_schedule(body: NewSchedule) -> tuple[ScheduleOut, dict[str, str]]:
    """Add a schedule

    It runs by `cron`, or after each market's own close. Without `symbols` it syncs tracked series,
    of one exchange or of all. Series whose market has been closed since their last sync are left
    out of a run. 409: there is a schedule of this name.
    """
    change = body.change()
    with current_services().storage() as platform:
        now, closes = _now(platform.scheduler), platform.scheduler.next_close
        platform.schedules.made(now)  # the names of built-in ones are taken
        made = new_schedule(body.name, body.description, body.n_bars, change, now, closes)
        platform.schedules.add(made)
        platform.nudges.announce(SCHEDULES_CHANNEL)
        shown = _shown(platform.jobs, made, now, platform.guard.at_risk(now))
    return shown, {"Location": url_for("schedules.get_schedule", name=made.name)}


@blueprint.route("/<name>", methods=["DELETE"], scope=Scope.ADMIN)
@blueprint.response(HTTPStatus.NO_CONTENT)
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def remove_schedule(name: str) -> None:
    """Remove a schedule

    A job of its last run goes on. 409: it is built in; pause it.
    """
    if is_built_in(name):
        raise Conflict(f"schedule {name!r} is built in; pause it instead")
    with current_services().storage() as platform:
        _named(platform.schedules, name, _now(platform.scheduler))
        platform.schedules.remove(name)
        platform.nudges.announce(SCHEDULES_CHANNEL)


@blueprint.route("/<name>")
@blueprint.response(HTTPStatus.OK, schema_of(ScheduleOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_schedule(name: str) -> ScheduleOut:
    """Get a schedule: when it runs, and how its runs went"""
    with current_services().storage() as platform:
        now = _now(platform.scheduler)
        named, at_risk = _named(platform.schedules, name, now), platform.guard.at_risk(now)
        return _shown(platform.jobs, named, now, at_risk)


@blueprint.route("/<name>", methods=["PUT"], scope=Scope.ADMIN)
@blueprint.arguments(schema_of(ScheduleIn))
@blueprint.response(HTTPStatus.OK, schema_of(ScheduleOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def change_schedule(body: ScheduleIn, name: str) -> ScheduleOut:
    """Change, pause or resume a schedule, or run it now

    `run_now` is stored and answered at once. The run starts a few seconds later, even if the
    schedule is paused; if a run is in progress, it starts when that one has ended, and repeated
    requests meanwhile cause a single run. `last_run_at` and `last_job_id` then describe it.
    """
    with current_services().storage() as platform:
        now = _now(platform.scheduler)
        seen, change = _named(platform.schedules, name, now), body.change()
        schedule = platform.schedules.change(seen, change, now, platform.scheduler.next_close)
        if body.run_now:
            platform.schedules.request_run(name)
        platform.nudges.announce(SCHEDULES_CHANNEL)
        return _shown(platform.jobs, schedule, now, platform.guard.at_risk(now))


def _now(scheduler: Scheduler) -> int:
    """Return the time of the clock that schedules run by, which is not this host's."""
    return int(scheduler.now().timestamp())


def _named(schedules: Schedules, name: str, now: int) -> Schedule:
    known = {each.name: each for each in schedules.made(now)}
    if name not in known:
        raise NotFound(f"there is no schedule {name[:40]!r}; there are {', '.join(known)}")
    return known[name]


def _shown(jobs: JobStore, schedule: Schedule, now: int, at_risk: Iterable[AtRisk]) -> ScheduleOut:
    job = jobs.get(schedule.last_job_id) if schedule.last_job_id else None
    return ScheduleOut.of(schedule, job.state if job else None, now, at_risk)
