"""The machine of a run: three mongods, two Redis servers, the simulator, two of each process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
import redis
import requests

from pocketquant.machine import embedded
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.machine.programs import (
    beat_command,
    interactive_command,
    push_command,
    simulator_program,
    streamer_command,
    web_command,
    worker_command,
)
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings
from tests.chaos.events import EventLog
from tests.chaos.keeper import Keeper, Kept
from tests.chaos.plan import CACHE, MONGODS, PROVIDER, REDIS, SICK, SICKNESS
from tests.chaos.replica_set import ReplicaSet, address_of

# The names of the processes of each kind, for the plan.
PROGRAMS: dict[str, tuple[str, ...]] = {
    kind: (f"{kind}-0", f"{kind}-1")
    for kind in ("web", "worker", "interactive", "beat", "streamer")
} | {"push": ("push-0",)}

# Shorter time-outs than in production; the logic is the same.
_QUICK: dict[str, Any] = {
    "provider_timeout_seconds": 3.0,
    "lease_seconds": 6.0,
    "tick_seconds": 1.0,
    "worker_slots": 8,
    "interactive_slots": 4,
    "max_attempts": 8,
    "streamer_intervals": "1m,5m",
    "streamer_lease_seconds": 3.0,
    "streamer_silence_seconds": 5.0,
    "log_format": "json",
}
_READY_SECONDS = 120.0
_ALIVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Machine:
    """The running processes, and their addresses."""

    keeper: Keeper
    replica_set: ReplicaSet
    web_urls: tuple[str, ...]
    push_url: str
    provider_url: str
    provider_http_url: str
    redis_urls: dict[str, str]
    database: str

    def mongod_at(self, address: str) -> str:
        """The name of the member at this address."""
        return MONGODS[self.replica_set.addresses.index(address)]

    def wipe_redis(self, name: str) -> None:
        with _redis(self.redis_urls[name]) as client:
            client.flushall()

    def order_fault(self, kind: str, value: float | None = None, symbol: str | None = None) -> None:
        """Let the provider misbehave until the fault is lifted."""
        order = {"kind": kind, "value": value, "symbol": symbol}
        self._control("POST", {name: given for name, given in order.items() if given is not None})

    def lift_fault(self, kind: str | None = None, symbol: str | None = None) -> None:
        """Lift a fault, or all faults if none is named."""
        order = {"kind": kind, "symbol": symbol}
        self._control("DELETE", {name: given for name, given in order.items() if given is not None})

    @contextmanager
    def mongo(self) -> Iterator[pymongo.database.Database[dict[str, Any]]]:
        """The database, without code of PocketQuant."""
        with pymongo.MongoClient[dict[str, Any]](self.replica_set.url, tz_aware=True) as client:
            yield client[self.database]

    def wait_until_well(self) -> None:
        """Wait until all servers answer and requests are served."""
        wait_until("all servers are well", self._is_well, _NOT_YET, _READY_SECONDS)

    def _is_well(self) -> bool:
        self.replica_set.primary()
        requests.get(f"{self.provider_http_url}/control/clock", timeout=_ALIVE_SECONDS)
        for url in self.redis_urls.values():
            with _redis(url) as client:
                client.ping()
        urls = (*self.web_urls, self.push_url)
        return all(requests.get(f"{url}/health", timeout=_ALIVE_SECONDS).ok for url in urls)

    def _control(self, method: str, order: dict[str, object]) -> None:
        url = f"{self.provider_http_url}/control/faults"
        requests.request(method, url, json=order, timeout=_ALIVE_SECONDS).raise_for_status()


_NOT_YET = (requests.RequestException, redis.RedisError, pymongo.errors.PyMongoError)


@contextmanager
def running(folder: Path, events: EventLog, read_preference: str) -> Iterator[Machine]:
    """Yield the running machine; all its processes end with the block."""
    keeper = Keeper(events)
    logs = folder / "logs"
    logs.mkdir(parents=True)
    members = [embedded.private_mongod(_made(folder / name)) for name in MONGODS]
    broker = embedded.private_redis(_made(folder / REDIS))
    cache = embedded.private_cache(_made(folder / CACHE))
    provider_port, provider_http_port = reserve_port(), reserve_port()
    replica_set = ReplicaSet(tuple(map(address_of, members)))
    settings = Settings.model_validate(
        {
            **_QUICK,
            "mongodb_url": f"{replica_set.url}&readPreference={read_preference}",
            "redis_url": broker.url,
            "cache_url": cache.url,
            "celery_broker_url": "",
            "tradingview_url": f"ws://{HOST}:{provider_port}/socket.io/websocket",
            "tradingview_http_url": f"http://{HOST}:{provider_http_port}",
            "tradingview_search_url": f"http://{HOST}:{provider_http_port}",
            "api_host": HOST,
            "push_host": HOST,
            "push_port": reserve_port(),
            "data_dir": folder,
        }
    )
    webs = {
        name: settings.model_copy(update={"api_port": reserve_port()}) for name in PROGRAMS["web"]
    }

    def keep(name: str, command: list[str], of: Settings = settings) -> None:
        environment = of.environment_of_children()
        keeper.keep(Kept(name, command, environment, logs / f"{name}.log"))

    with keeper.running():
        for name, server in zip(MONGODS, members, strict=True):
            keep(name, server.command)
        keep(REDIS, broker.command)
        keep(CACHE, cache.command)
        sick = [part for symbol in SICK for part in ("--fault", f"{SICKNESS}:{symbol}")]
        keep(PROVIDER, [*simulator_program(provider_port, provider_http_port).command, *sick])
        replica_set.initiate()
        for name, of in webs.items():
            keep(name, web_command(of), of)
        for name, command in _commands(settings).items():
            keep(name, command)
        machine = Machine(
            keeper=keeper,
            replica_set=replica_set,
            web_urls=tuple(of.own_api_url for of in webs.values()),
            push_url=settings.own_push_url,
            provider_url=settings.tradingview_url,
            provider_http_url=settings.tradingview_http_url,
            redis_urls={REDIS: broker.url, CACHE: cache.url},
            database=settings.mongodb_database,
        )
        machine.wait_until_well()
        yield machine


def _commands(settings: Settings) -> dict[str, list[str]]:
    """The programs but web, by the names of their processes."""
    interactive = interactive_command(settings)
    commands = {name: worker_command(name=name) for name in PROGRAMS["worker"]}
    commands |= {name: _renamed(interactive, name) for name in PROGRAMS["interactive"]}
    commands |= dict.fromkeys(PROGRAMS["beat"], beat_command())
    commands |= dict.fromkeys(PROGRAMS["streamer"], streamer_command())
    return commands | {PROGRAMS["push"][0]: push_command(settings)}


def _renamed(command: list[str], name: str) -> list[str]:
    """Return the command of a Celery worker under a name of its own, as a fleet needs."""
    index = command.index("--hostname") + 1
    return [*command[:index], f"{name}@%h", *command[index + 1 :]]


def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=_ALIVE_SECONDS)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
