"""The Redis servers, and the message broker, Redis or not."""

from collections.abc import Iterator, Mapping
from typing import Any

import redis
from kombu.exceptions import KombuError

from pocketquant.doctor.findings import Finding, broken, ok, skipped, warning
from pocketquant.doctor.installation import shown
from pocketquant.doctor.mongodb import clock
from pocketquant.domain.errors import InvalidSettings
from pocketquant.messaging.brokers import open_broker
from pocketquant.servers.connections import open_redis
from pocketquant.settings import Settings

_SECONDS = 2.0
_OLDEST = 6
_FORMS = (
    "redis://[user:password@]host:6379/0, rediss://… or sentinel://…,"
    " with signs such as / and @ of a password as %2F and %40"
)


def shared(settings: Settings) -> Iterator[Finding]:
    """REDIS_URL; where it is the broker too, it has to keep what it holds."""
    if not settings.redis_url:
        yield skipped("redis", "REDIS_URL is empty: `pocketquant up` starts a private one")
        return
    yield from _redis("redis", "REDIS_URL", settings.redis_url, not settings.celery_broker_url)


def cache(settings: Settings) -> Iterator[Finding]:
    """CACHE_URL, whose server has to evict by itself."""
    url = settings.cache_url
    if not url:
        most = f"{settings.answers_most_mb} MB of answers at most are kept in REDIS_URL's server"
        yield skipped("cache", f"CACHE_URL is empty: {most}")
        return
    client, unreadable = _opened("cache", "CACHE_URL", url)
    if client is None:
        yield from unreadable
        return
    with client:
        try:
            memory = client.info("memory")
        except redis.RedisError as error:
            yield _unusable("cache", "CACHE_URL", url, error)
            return
        yield ok("cache", f"answers at {shown(url)}")
        yield _eviction_of_cache(memory)


def broker(settings: Settings) -> Iterator[Finding]:
    """CELERY_BROKER_URL, whichever kind of broker it names."""
    url = settings.celery_broker_url
    if not url:
        yield skipped("broker", "CELERY_BROKER_URL is empty: REDIS_URL's server is the broker")
        return
    if not url.startswith(("amqp://", "amqps://")):
        yield from _redis("broker", "CELERY_BROKER_URL", url, is_broker=True)
        return
    yield _rabbitmq(url)


def _redis(check: str, setting: str, url: str, is_broker: bool) -> Iterator[Finding]:
    client, unreadable = _opened(check, setting, url)
    if client is None:
        yield from unreadable
        return
    with client:
        try:
            client.ping()
        except redis.RedisError as error:
            yield _unusable(check, setting, url, error)
            return
        yield ok(check, f"answers at {shown(url)}")
        yield _version(check, client)
        yield from _memory(check, client, is_broker)
        seconds, microseconds = client.time()
        yield clock(f"{check} clock", seconds + microseconds / 1e6)


def _opened(check: str, setting: str, url: str) -> tuple[redis.Redis | None, list[Finding]]:
    try:
        return open_redis(url, _SECONDS), []
    except (ValueError, InvalidSettings):  # which may quote the password
        return None, [broken(check, f"{setting} is no URL of Redis", f"write it as {_FORMS}")]


def _unusable(check: str, setting: str, url: str, error: redis.RedisError) -> Finding:
    said = str(error)
    if isinstance(error, redis.AuthenticationError) or said.startswith(("NOAUTH", "WRONGPASS")):
        remedy = f"put the right password into {setting}: redis://:PASSWORD@host:6379/0"
        return broken(check, "Redis wants a password, or another one", remedy)
    remedy = f"start Redis, or mend host and port in {setting}; a firewall may be between"
    found = f"no answer from {shown(url)} within {_SECONDS:.0f} s: {said[:200]}"
    return broken(check, found, remedy)


def _version(check: str, client: redis.Redis) -> Finding:
    server = client.info("server")
    version = str(server["redis_version"])
    if int(version.split(".")[0]) < _OLDEST:
        return broken(f"{check} version", version, f"upgrade Redis to {_OLDEST} or newer")
    return ok(f"{check} version", version)


def _eviction_of_cache(memory: Mapping[str, Any]) -> Finding:
    policy, most = str(memory.get("maxmemory_policy")), int(memory.get("maxmemory", 0))
    if most and policy.startswith("allkeys"):
        return ok("cache eviction", f"{policy} at {most / 1e6:.0f} MB")
    remedy = "`redis-cli config set maxmemory 512mb`, `… maxmemory-policy allkeys-lru`"
    found = f"{policy}, maxmemory {most}: answers fill it until it refuses them"
    return warning("cache eviction", found, f"{remedy}, and the same in redis.conf")


def _memory(check: str, client: redis.Redis, is_broker: bool) -> Iterator[Finding]:
    """What happens when memory is full, and at a crash."""
    memory = client.info("memory")
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    remedy = "`redis-cli config set maxmemory-policy noeviction`, and the same in redis.conf"
    if policy == "noeviction":
        yield ok(f"{check} eviction", policy)
    elif is_broker and not policy.startswith("volatile"):
        found = f"{policy}: a full Redis drops messages, and Redis is the broker"
        yield broken(f"{check} eviction", found, remedy)
    else:
        found = f"{policy}: a full Redis drops leases and what the fleet tells"
        yield warning(f"{check} eviction", found, remedy)
    if not is_broker:
        return
    persistence = client.info("persistence")
    if persistence.get("aof_enabled"):
        yield ok(f"{check} persistence", "appendonly")
    else:
        remedy = "`redis-cli config set appendonly yes`, and the same in redis.conf"
        found = "no appendonly file: a restart of the broker loses its messages"
        yield warning(f"{check} persistence", found, remedy)


def _rabbitmq(url: str) -> Finding:
    try:
        connection = open_broker(url, _SECONDS)
    except ValueError:  # which may quote the password
        remedy = "write it as amqp://user:password@host:5672//, with / and @ of a password encoded"
        return broken("broker", "CELERY_BROKER_URL is no URL of RabbitMQ", remedy)
    refusals: tuple[type[BaseException], ...] = (
        *(OSError, KombuError),
        *connection.connection_errors,
        *connection.channel_errors,
    )
    try:
        with connection:
            connection.connect()
    except refusals as error:
        return broken(
            "broker",
            f"RabbitMQ at {shown(url)} can't be used: {type(error).__name__}: {str(error)[:200]}",
            "start RabbitMQ, or mend user, password, host and virtual host in CELERY_BROKER_URL",
        )
    return ok("broker", f"RabbitMQ answers at {shown(url)}")
