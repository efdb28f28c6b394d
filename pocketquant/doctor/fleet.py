"""Check that workers, beat and streamers run, and that no work waits without them."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import redis
from pymongo.errors import PyMongoError

from pocketquant.coordination.fleet import (
    Fleet,
    Member,
    MemberKind,
    clocks_off,
    described_offset,
)
from pocketquant.coordination.tick_problems import TickProblems
from pocketquant.doctor.findings import Finding, broken, ok, skipped, warning
from pocketquant.domain.errors import InvalidSettings
from pocketquant.servers.connections import open_mongo, open_redis
from pocketquant.settings import Settings
from pocketquant.storage.backlog import Backlog
from pocketquant.storage.subscriptions import Subscriptions

_SECONDS = 2.0
_CHECKS = ("workers", "beat", "streamers", "clocks", "ticks")
_UNREADABLE = (PyMongoError, redis.RedisError, InvalidSettings, ValueError)


def programs(settings: Settings) -> Iterator[Finding]:
    """Check workers, beat, streamers, clocks and ticks; skipped without MongoDB and Redis."""
    if not (settings.mongodb_url and settings.redis_url):
        for check in _CHECKS:
            yield skipped(check, "MONGODB_URL or REDIS_URL is empty")
        return
    try:
        fleet = _read_fleet(settings)
    except _UNREADABLE:
        for check in _CHECKS:
            yield skipped(check, "unknown without MongoDB and Redis", "mend these first")
        return
    alive = Counter(member.kind for member in fleet.members)
    yield _workers(alive[MemberKind.WORKER], fleet.waiting)
    yield _beat(alive[MemberKind.BEAT])
    yield _streamers(alive[MemberKind.STREAMER], fleet.subscribed)
    yield _clocks(fleet.members)
    yield _ticks(fleet.tick_problems)


class _FleetState(NamedTuple):
    """Processes, the numbers of waiting units and subscribed symbols, failing steps of ticks."""

    members: list[Member]
    waiting: int
    subscribed: int
    tick_problems: dict[str, str]


def _read_fleet(settings: Settings) -> _FleetState:
    with open_redis(settings.redis_url, _SECONDS) as cache:
        members, tick_problems = Fleet(cache).members(), TickProblems(cache).all()
    mongo = open_mongo(settings.mongodb_url, settings.mongodb_database, _SECONDS)
    with mongo.client:
        waiting = sum(queue.units for queue in Backlog(mongo).read().waiting.values())
        subscriptions = Subscriptions(mongo)
        subscribed = subscriptions.count() if subscriptions.is_on() else 0
        return _FleetState(members, waiting, subscribed, tick_problems)


def _workers(alive: int, waiting: int) -> Finding:
    if alive:
        return ok("workers", f"{alive} alive, {waiting} units wait")
    remedy = "`pocketquant worker`, on any machine, or `pocketquant up`"
    if waiting:
        return broken("workers", f"{waiting} units wait and no worker is alive", remedy)
    return warning("workers", "none is alive; nothing waits", remedy)


def _beat(alive: int) -> Finding:
    if alive:
        return ok("beat", f"{alive} alive")
    found = "none is alive: schedules do not run, and lost work is not recovered"
    return warning("beat", found, "`pocketquant beat`, or `pocketquant up`")


def _streamers(alive: int, subscribed: int) -> Finding:
    if alive:
        return ok("streamers", f"{alive} alive, {subscribed} symbols subscribed")
    if subscribed:
        found = f"{subscribed} symbols are subscribed and no streamer is alive"
        return broken("streamers", found, "`pocketquant streamer`, or `pocketquant up`")
    return skipped("streamers", "none is alive; nothing is subscribed")


def _clocks(members: list[Member]) -> Finding:
    """Warn about wrong clocks: timestamps and log lines use them, schedules and leases do not."""
    off = clocks_off(members)
    if not off:
        return ok("clocks", "the clocks of all hosts are right")
    text = "; ".join(f"{host}'s is {described_offset(ahead)}" for host, ahead in off.items())
    remedy = f"let NTP set the clock of {', '.join(off)}: `timedatectl set-ntp true` there"
    return warning("clocks", text, remedy)


def _ticks(problems: dict[str, str]) -> Finding:
    if not problems:
        return ok("ticks", "no step fails")
    text = "; ".join(f"{step}: {reason}" for step, reason in problems.items())
    remedy = "each is retried every few seconds; see tick_step_failed in the workers' logs"
    return warning("ticks", text, remedy)
