"""Whether what has to run does: workers, beat, streamers, and no work that waits in vain."""

from collections import Counter
from collections.abc import Iterator

import redis
from pymongo.errors import PyMongoError

from pocketquant.connections import open_mongo, open_redis
from pocketquant.coordination.fleet import Fleet, MemberKind
from pocketquant.doctor.findings import Finding, broken, ok, skipped, warning
from pocketquant.domain.errors import InvalidSettings
from pocketquant.settings import Settings
from pocketquant.storage.backlog import Backlog
from pocketquant.storage.subscriptions import Subscriptions

_SECONDS = 2.0
_CHECKS = ("workers", "beat", "streamers")
_UNREADABLE = (PyMongoError, redis.RedisError, InvalidSettings, ValueError)


def programs(settings: Settings) -> Iterator[Finding]:
    """Needs MongoDB and Redis; whether these are well is said elsewhere."""
    if not (settings.mongodb_url and settings.redis_url):
        for check in _CHECKS:
            yield skipped(check, "MONGODB_URL or REDIS_URL is empty")
        return
    try:
        alive, waiting, watched = _gathered(settings)
    except _UNREADABLE:
        for check in _CHECKS:
            yield skipped(check, "not known without MongoDB and Redis", "mend these first")
        return
    yield _workers(alive[MemberKind.WORKER], waiting)
    yield _beat(alive[MemberKind.BEAT])
    yield _streamers(alive[MemberKind.STREAMER], watched)


def _gathered(settings: Settings) -> tuple[Counter[MemberKind], int, int]:
    """Processes by kind, units that wait, symbols to be watched."""
    with open_redis(settings.redis_url, _SECONDS) as cache:
        alive = Counter(member.kind for member in Fleet(cache).members())
    mongo = open_mongo(settings.mongodb_url, settings.mongodb_database, _SECONDS)
    with mongo.client:
        waiting = sum(queue.units for queue in Backlog(mongo).read().waiting.values())
        subscriptions = Subscriptions(mongo)
        return alive, waiting, subscriptions.count() if subscriptions.is_on() else 0


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
