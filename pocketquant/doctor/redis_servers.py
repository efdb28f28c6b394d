"""Check the Redis servers, and the message broker, which may be RabbitMQ."""

from collections.abc import Callable, Iterator
from functools import partial

import redis
from kombu.exceptions import KombuError

from pocketquant.doctor.findings import Finding, address_of, broken, ok, skipped, warning
from pocketquant.doctor.mongodb import clock
from pocketquant.domain.errors import InvalidSettings
from pocketquant.messaging.brokers import open_broker
from pocketquant.servers.connections import open_redis
from pocketquant.settings import Settings

_SECONDS = 2.0
_OLDEST = 6
_FORMS = (
    "redis://[user:password@]host:6379/0, rediss://… or sentinel://…,"
    " with characters such as / and @ of a password as %2F and %40"
)


def shared(settings: Settings) -> Iterator[Finding]:
    """Check REDIS_URL, and its persistence if it is also the broker."""
    url = settings.redis_url
    if not url:
        yield skipped("redis", "REDIS_URL is empty: `pocketquant up` starts a private one")
        return
    details = partial(_keeping_server, "redis", not settings.celery_broker_url)
    yield from _redis("redis", "REDIS_URL", url, details)


def cache(settings: Settings) -> Iterator[Finding]:
    """Check CACHE_URL, whose server must evict."""
    url = settings.cache_url
    if not url:
        most = f"{settings.answers_most_mb} MB of answers at most are kept in REDIS_URL's server"
        yield skipped("cache", f"CACHE_URL is empty: {most}")
        return
    yield from _redis("cache", "CACHE_URL", url, _evicting_server)


def broker(settings: Settings) -> Iterator[Finding]:
    """Check CELERY_BROKER_URL, which names a Redis or a RabbitMQ."""
    url = settings.celery_broker_url
    if not url:
        yield skipped("broker", "CELERY_BROKER_URL is empty: REDIS_URL's server is the broker")
    elif url.startswith(("amqp://", "amqps://")):
        yield _rabbitmq(url)
    else:
        details = partial(_keeping_server, "broker", True)
        yield from _redis("broker", "CELERY_BROKER_URL", url, details)


def _redis(
    check: str, setting: str, url: str, details: Callable[[redis.Redis], Iterator[Finding]]
) -> Iterator[Finding]:
    try:
        client = open_redis(url, _SECONDS)
    except (ValueError, InvalidSettings):  # its message may quote the password
        yield broken(check, f"{setting} is no URL of Redis", f"write it as {_FORMS}")
        return
    with client:
        try:
            client.ping()
        except redis.RedisError as error:
            yield _unusable(check, setting, url, error)
            return
        yield ok(check, f"answers at {address_of(url)}")
        yield from details(client)


def _keeping_server(check: str, is_broker: bool, client: redis.Redis) -> Iterator[Finding]:
    yield _version(check, client)
    yield from _memory(check, client, is_broker)
    seconds, microseconds = client.time()
    yield clock(f"{check} clock", seconds + microseconds / 1e6)


def _evicting_server(client: redis.Redis) -> Iterator[Finding]:
    memory = client.info("memory")
    policy, most = str(memory.get("maxmemory_policy")), int(memory.get("maxmemory", 0))
    if most and policy.startswith("allkeys"):
        yield ok("cache eviction", f"{policy} at {most / 1e6:.0f} MB")
        return
    remedy = "`redis-cli config set maxmemory 512mb`, `… maxmemory-policy allkeys-lru`"
    found = f"{policy}, maxmemory {most}: answers fill it until it refuses them"
    yield warning("cache eviction", found, f"{remedy}, and the same in redis.conf")


def _unusable(check: str, setting: str, url: str, error: redis.RedisError) -> Finding:
    text = str(error)
    if isinstance(error, redis.AuthenticationError) or text.startswith(("NOAUTH", "WRONGPASS")):
        remedy = f"put the right password into {setting}: redis://:PASSWORD@host:6379/0"
        return broken(check, "Redis requires a password, or another one", remedy)
    remedy = f"start Redis, or mend host and port in {setting}; a firewall may be between"
    found = f"no answer from {address_of(url)} within {_SECONDS:.0f} s: {text[:200]}"
    return broken(check, found, remedy)


def _version(check: str, client: redis.Redis) -> Finding:
    server = client.info("server")
    version = str(server["redis_version"])
    if int(version.split(".")[0]) < _OLDEST:
        return broken(f"{check} version", version, f"upgrade Redis to {_OLDEST} or newer")
    return ok(f"{check} version", version)


def _memory(check: str, client: redis.Redis, is_broker: bool) -> Iterator[Finding]:
    """Check what the server loses when its memory is full, and at a crash."""
    memory = client.info("memory")
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    remedy = "`redis-cli config set maxmemory-policy noeviction`, and the same in redis.conf"
    if policy == "noeviction":
        yield ok(f"{check} eviction", policy)
    elif is_broker and not policy.startswith("volatile"):
        found = f"{policy}: a full Redis drops messages, and Redis is the broker"
        yield broken(f"{check} eviction", found, remedy)
    else:
        found = f"{policy}: a full Redis drops leases and reports of the fleet"
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
    except ValueError:  # its message may quote the password
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
            f"RabbitMQ at {address_of(url)}: {type(error).__name__}: {str(error)[:200]}",
            "start RabbitMQ, or mend user, password, host and virtual host in CELERY_BROKER_URL",
        )
    return ok("broker", f"RabbitMQ answers at {address_of(url)}")
