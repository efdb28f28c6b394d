"""Problems of the fleet: missing processes, shards without a streamer, late schedules."""

from pocketquant.coordination.fleet import Member
from web.fleet.probing import Server
from web.fleet.snapshot import FleetSnapshot

_LATE_SECONDS = 120.0


def fleet_problems(snapshot: FleetSnapshot) -> dict[str, str | None]:
    """Return why each part of the fleet is degraded; None for a healthy part."""
    redis, mongodb = (snapshot.server_problems.get(each) for each in (Server.REDIS, Server.MONGODB))
    return {
        "workers": _missing("worker", snapshot.workers, redis),
        "beat": _missing("beat", snapshot.beats, redis),
        "streamers": _unattended(snapshot.unattended_shards, redis, mongodb),
        "schedules": _late(snapshot, mongodb),
    }


def _missing(kind: str, members: list[Member] | None, problem: str | None) -> str | None:
    if members is None:
        return f"unknown: Redis {problem}"
    return None if members else f"no {kind} is alive"


def _unattended(shards: list[str] | None, redis: str | None, mongodb: str | None) -> str | None:
    if shards is None:
        return f"unknown: Redis {redis}" if redis else f"unknown: MongoDB {mongodb}"
    return "; ".join(f"shard {shard} has no streamer" for shard in shards) or None


def _late(snapshot: FleetSnapshot, problem: str | None) -> str | None:
    if snapshot.schedules is None:
        return f"unknown: MongoDB {problem}"
    lateness = {each.name: snapshot.seconds_late(each) for each in snapshot.schedules}
    late = [f"{name} is {it:.0f} s late" for name, it in lateness.items() if it > _LATE_SECONDS]
    failing = [f"{step} fails: {why}" for step, why in (snapshot.tick_problems or {}).items()]
    return "; ".join(late + failing) or None
