"""Trouble in the fleet while its servers answer: processes that are missing, schedules that lag."""

from pocketquant.coordination.fleet import Member
from web.fleet.overview import Overview
from web.fleet.questions import Server

_LATE_SECONDS = 120.0


def fleet_problems(overview: Overview) -> dict[str, str | None]:
    """The reason why each part of the fleet is degraded; None for one that is well."""
    redis, mongodb = (overview.problems.get(each) for each in (Server.REDIS, Server.MONGODB))
    return {
        "workers": _missing("worker", overview.workers, redis),
        "beat": _missing("beat", overview.beats, redis),
        "streamers": _unattended(overview.unattended, redis, mongodb),
        "schedules": _late(overview, mongodb),
    }


def _missing(kind: str, members: list[Member] | None, problem: str | None) -> str | None:
    if members is None:
        return f"unknown: Redis {problem}"
    return None if members else f"no {kind} is alive"


def _unattended(shards: list[str] | None, redis: str | None, mongodb: str | None) -> str | None:
    if shards is None:
        return f"unknown: Redis {redis}" if redis else f"unknown: MongoDB {mongodb}"
    return "; ".join(f"shard {shard} has no streamer" for shard in shards) or None


def _late(overview: Overview, problem: str | None) -> str | None:
    if overview.schedules is None:
        return f"unknown: MongoDB {problem}"
    lateness = {each.name: overview.seconds_late(each) for each in overview.schedules}
    late = [f"{name} is {it:.0f} s late" for name, it in lateness.items() if it > _LATE_SECONDS]
    failing = [f"{step} fails: {why}" for step, why in (overview.tick_problems or {}).items()]
    return "; ".join(late + failing) or None
