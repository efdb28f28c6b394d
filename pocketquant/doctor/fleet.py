"""Whether what has to run does: workers, beat, streamers, and no work that waits in vain."""

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
    """Needs MongoDB and Redis; whether these are well is said elsewhere."""
    if not (settings.mongodb_url and settings.redis_url):
        for check in _CHECKS:
            yield skipped(check, "MONGODB_URL or REDIS_URL is empty")
        return
    try:
        found = _gathered(settings)
    except _UNREADABLE:
        for check in _CHECKS:
            yield skipped(check, "not known without MongoDB and Redis", "mend these first")
        return
    alive = Counter(member.kind for member in found.members)
    yield _workers(alive[MemberKind.WORKER], found.waiting)
    yield _beat(alive[MemberKind.BEAT])
    yield _streamers(alive[MemberKind.STREAMER], found.watched)
    yield _clocks(found.members)
    yield _ticks(found.tick_problems)


class _Found(NamedTuple):
    """Processes; how many units wait and symbols are to be watched; steps of ticks that fail."""

    members: list[Member]
    waiting: int
    watched: int
    tick_problems: dict[str, str]


def _gathered(settings: Settings) -> _Found:
    with open_redis(settings.redis_url, _SECONDS) as cache:
        members, tick_problems = Fleet(cache).members(), TickProblems(cache).all()
    mongo = open_mongo(settings.mongodb_url, settings.mongodb_database, _SECONDS)
    with mongo.client:
        waiting = sum(queue.units for queue in Backlog(mongo).read().waiting.values())
        subscriptions = Subscriptions(mongo)
        watched = subscriptions.count() if subscriptions.is_on() else 0
        return _Found(members, waiting, watched, tick_problems)


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
    found = "none is alive: schedules rest, and lost work is not found again"
    return warning("beat", found, "`pocketquant beat`, or `pocketquant up`")


def _streamers(alive: int, watched: int) -> Finding:
    if alive:
        return ok("streamers", f"{alive} alive, {watched} symbols watched")
    if watched:
        found = f"{watched} symbols are subscribed and no streamer is alive"
        return broken("streamers", found, "`pocketquant streamer`, or `pocketquant up`")
    return skipped("streamers", "none is alive; nothing is subscribed")


def _clocks(members: list[Member]) -> Finding:
    """Schedules and leases do not go by these clocks, but stamps and log lines do."""
    off = clocks_off(members)
    if not off:
        return ok("clocks", "those of all hosts are right")
    said = "; ".join(f"{host}'s is {described_offset(ahead)}" for host, ahead in off.items())
    remedy = f"let NTP set the clock of {', '.join(off)}: `timedatectl set-ntp true` there"
    return warning("clocks", said, remedy)


def _ticks(problems: dict[str, str]) -> Finding:
    if not problems:
        return ok("ticks", "no step fails")
    said = "; ".join(f"{step}: {reason}" for step, reason in problems.items())
    remedy = "each is tried again every few seconds; the workers' logs say more (tick_step_failed)"
    return warning("ticks", said, remedy)
