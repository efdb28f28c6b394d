"""What of the fleet is amiss though the servers answer: nobody at work, or nobody in time."""

from pocketquant.coordination.fleet import Member
from web.fleet.overview import Overview
from web.fleet.questions import Server
from web.schemas.health import CheckOut, ReadinessOut, Wellness

_LATE_SECONDS = 120.0


def readiness(
    servers: dict[Server, CheckOut], overview: Overview, looked_seconds: float
) -> ReadinessOut:
    """Down with a server, degraded without workers, beats, streamers or punctual schedules."""
    redis, mongodb = (overview.problems.get(each) for each in (Server.REDIS, Server.MONGODB))
    processes = {
        "workers": _missing("worker", overview.workers, redis),
        "beat": _missing("beat", overview.beats, redis),
        "streamers": _unattended(overview.unattended, redis, mongodb),
        "schedules": _late(overview, mongodb),
    }
    latency = round(looked_seconds * 1000, 1)
    checks = servers | {
        name: CheckOut(
            status=Wellness.DEGRADED if reason else Wellness.OK, reason=reason, latency_ms=latency
        )
        for name, reason in processes.items()
    }
    return ReadinessOut(status=_worst(checks), **checks)


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


def _worst(checks: dict[str, CheckOut]) -> Wellness:
    found = {check.status for check in checks.values()}
    return next(each for each in (Wellness.DOWN, Wellness.DEGRADED, Wellness.OK) if each in found)
