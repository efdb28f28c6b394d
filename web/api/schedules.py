"""Schedules: what runs when; changed, paused and run at once."""

from http import HTTPStatus

from pocketquant.domain.errors import NotFound
from pocketquant.domain.schedules import Schedule
from pocketquant.storage.access import Scope
from pocketquant.wiring import Platform
from web.schemas.schedules import ScheduleIn, ScheduleOut
from web.services import current_services
from web.smorest_pydantic import BODY_REFUSED, PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "schedules", __name__, url_prefix="/schedules", description="what is kept up to date, and when"
)


@blueprint.route("")
@blueprint.response(HTTPStatus.OK, schema_of(ScheduleOut, many=True))
@blueprint.fails_with(HTTPStatus.SERVICE_UNAVAILABLE)
def list_schedules() -> list[ScheduleOut]:
    """All schedules

    There are two, `all-series` and `daily-series`: they can be changed and paused, but none can be
    added or taken away.
    """
    with current_services().storage() as platform:
        now = _now(platform)
        return [_shown(platform, each, now) for each in platform.schedules.made(now)]


@blueprint.route("/<name>")
@blueprint.response(HTTPStatus.OK, schema_of(ScheduleOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
def get_schedule(name: str) -> ScheduleOut:
    """When a schedule runs, and how it went"""
    with current_services().storage() as platform:
        now = _now(platform)
        return _shown(platform, _named(platform, name, now), now)


@blueprint.route("/<name>", methods=["PUT"], scope=Scope.ADMIN)
@blueprint.arguments(schema_of(ScheduleIn))
@blueprint.response(HTTPStatus.OK, schema_of(ScheduleOut))
@blueprint.fails_with(*BODY_REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
def change_schedule(body: ScheduleIn, name: str) -> ScheduleOut:
    """Change, pause or resume a schedule, or run it now

    `run_now` is noted and answered at once. The run starts with the next tick, a few seconds later,
    also where the schedule is paused; while a run goes on, it waits for its end, and asking again
    meanwhile asks for one run still. `last_run_at` and `last_job_id` then tell of it.
    """
    with current_services().storage() as platform:
        now = _now(platform)
        schedule = platform.schedules.change(_named(platform, name, now), body.change(), now)
        if body.run_now:
            platform.schedules.request_run(name)
        return _shown(platform, schedule, now)


def _now(platform: Platform) -> int:
    """The time by the clock that schedules run by, which is not this host's."""
    return int(platform.scheduler.now().timestamp())


def _named(platform: Platform, name: str, now: int) -> Schedule:
    known = {each.name: each for each in platform.schedules.made(now)}
    if name not in known:
        raise NotFound(f"there is no schedule {name[:40]!r}; there are {', '.join(known)}")
    return known[name]


def _shown(platform: Platform, schedule: Schedule, now: int) -> ScheduleOut:
    job = platform.jobs.get(schedule.last_job_id) if schedule.last_job_id else None
    return ScheduleOut.of(schedule, job.state if job else None, now)
