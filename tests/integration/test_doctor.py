"""`pocketquant doctor` on real servers: a healthy set-up, and many broken ones."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pymongo
import pytest
import redis
from click.testing import CliRunner

from pocketquant.cli import main
from pocketquant.coordination.fleet import Fleet, Member, MemberKind
from pocketquant.coordination.tick_problems import TickProblems
from pocketquant.domain.symbols import Symbol
from pocketquant.machine import embedded
from pocketquant.machine.embedded import HOST, private_cache, reserve_port, running
from pocketquant.servers.connections import Mongo, wait_until
from pocketquant.settings import Settings
from pocketquant.simulator import server as simulator_server
from pocketquant.simulator.wire import tokens
from pocketquant.storage.access import Scope
from pocketquant.storage.api_keys import ApiKeys
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.storage.subscriptions import Subscriptions

_SECRET = "hunter2secret"


@dataclass(frozen=True, slots=True)
class Report:
    """What the doctor said, and how it ended."""

    code: int
    text: str

    def line(self, check: str, state: str) -> str:
        """What was found and how to mend it, of the check that ended so; empty if none did."""
        return " ".join(
            f"{one['found']} | {one['remedy']}"
            for one in json.loads(self.text)
            if (one["check"], one["state"]) == (check, state)
        )

    def broken(self) -> list[str]:
        return [one["check"] for one in json.loads(self.text) if one["state"] == "broken"]


Ask = Callable[..., Report]


@pytest.fixture(scope="module")
def simulator() -> Iterator[simulator_server.Simulator]:
    """A simulated TradingView."""
    with simulator_server.running() as simulator:
        yield simulator
        simulator.lift()


@pytest.fixture
def ask(
    mongo: Mongo,
    mongodb_url: str,
    redis_url: str,
    cache: redis.Redis,
    simulator: simulator_server.Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Ask:
    """Runs the doctor on servers that are well, with settings of the test's own."""
    make_collections_and_indexes(mongo)
    well = {
        "mongodb_url": mongodb_url,
        "mongodb_database": mongo.name,
        "redis_url": redis_url,
        "tradingview_url": simulator.url,
        "tradingview_http_url": simulator.http_url,
        "api_port": reserve_port(),
        "push_port": reserve_port(),
        "flower_port": reserve_port(),
    }

    def run(is_table: bool = False, **changes: object) -> Report:
        monkeypatch.chdir(tmp_path)
        with monkeypatch.context() as given:
            for name in Settings.model_fields:
                given.delenv(name.upper(), raising=False)
            for name, value in {**well, **changes}.items():
                given.setenv(name.upper(), str(value))
            ran = CliRunner().invoke(main, ["doctor", *(() if is_table else ("--json",))])
        return Report(ran.exit_code, ran.stdout)

    return run


@contextmanager
def _mute_server() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


@contextmanager
def _configured(cache: redis.Redis, name: str, value: str) -> Iterator[None]:
    before = cache.config_get(name)[name]
    cache.config_set(name, value)
    try:
        yield
    finally:
        cache.config_set(name, before)


@contextmanager
def _standalone_mongod(folder: Path) -> Iterator[str]:
    server = embedded.private_mongod(folder)
    at = server.command.index("--replSet")
    command = [*server.command[:at], *server.command[at + 2 :]]
    url = server.url.partition("?")[0]

    def prepare() -> None:
        with pymongo.MongoClient(url) as client:
            wait_until("it answers", client.server_info, pymongo.errors.PyMongoError, 60)

    with embedded.running(replace(server, command=command, prepare=prepare)):
        yield url


def _announce(cache: redis.Redis, clock_ahead_seconds: float | None = None) -> None:
    for kind in MemberKind:
        now = datetime.now(UTC)
        Fleet(cache).announce(
            Member(kind, kind, kind, "here", 1, now, "1", clock_ahead_seconds=clock_ahead_seconds)
        )


def _make_unit_wait(mongo: Mongo) -> None:
    mongo["units"].insert_one(
        {
            "_id": "one",
            "series": "NASDAQ:AAPL@1d",
            "active": True,
            "state": "queued",
            "queue": "bulk",
            "created_at": datetime.now(UTC),
        }
    )


def test_a_healthy_installation_is_well(ask: Ask, cache: redis.Redis) -> None:
    """All servers are there, the fleet is alive: nothing is broken, and the end is 0."""
    _announce(cache)
    report = ask()
    assert [] == report.broken(), report.text
    assert 0 == report.code
    assert report.line("mongodb replica set", "ok")
    assert report.line("workers", "ok")
    assert report.line("tradingview websocket", "ok")


def test_people_get_a_table(ask: Ask) -> None:
    """Without --json it is a table with the four columns."""
    report = ask(is_table=True)
    assert all(heading in report.text for heading in ("check", "state", "found", "remedy"))
    assert 0 == report.code


def test_mongodb_is_down(ask: Ask) -> None:
    """Nothing listens where MONGODB_URL points; what needs it is skipped, the rest is checked."""
    report = ask(mongodb_url=f"mongodb://root:{_SECRET}@{HOST}:{reserve_port()}/")
    assert 1 == report.code
    assert "start MongoDB" in report.line("mongodb", "broken")
    assert report.line("workers", "skipped")
    assert report.line("redis", "ok")
    assert _SECRET not in report.text


def test_mongodb_refuses_the_password(ask: Ask, mongodb_url: str) -> None:
    """A wrong password is told from a server that is away, and is not shown."""
    report = ask(mongodb_url=mongodb_url.replace("://", f"://root:{_SECRET}@"))
    assert 1 == report.code
    assert "mend user and password in MONGODB_URL" in report.line("mongodb", "broken")
    assert _SECRET not in report.text


def test_servers_that_hang_are_named(ask: Ask) -> None:
    """Whatever accepts connections and says nothing is named, all of it in one go."""
    with _mute_server() as port:
        report = ask(
            mongodb_url=f"mongodb://{HOST}:{port}/",
            redis_url=f"redis://{HOST}:{port}/0",
            celery_broker_url=f"amqp://guest:{_SECRET}@{HOST}:{port}//",
            tradingview_url=f"ws://{HOST}:{port}/",
            tradingview_http_url=f"http://{HOST}:{port}",
            api_port=port,
        )
    hanging = {"mongodb", "redis", "broker", "api", "tradingview website", "tradingview websocket"}
    assert hanging == set(report.broken()), report.text
    assert _SECRET not in report.text


def test_a_standalone_mongod_is_no_replica_set(ask: Ask, tmp_path: Path) -> None:
    """Broken where the URL asks for a replica set, a warning where it does not."""
    with _standalone_mongod(tmp_path / "standalone") as url:
        asked, plain = ask(mongodb_url=f"{url}?replicaSet=rs0"), ask(mongodb_url=url)
    assert ["mongodb replica set"] == asked.broken(), asked.text
    assert "rs.initiate()" in asked.line("mongodb replica set", "broken")
    assert "rs.initiate()" in plain.line("mongodb replica set", "warning")


def test_missing_indexes_are_listed(ask: Ask, mongo: Mongo) -> None:
    """An index that is gone is named."""
    mongo["units"].drop_index("by_queue_and_silence")
    assert "units.by_queue_and_silence" in ask().line("mongodb indexes", "warning")


def test_no_url_of_mongodb(ask: Ask) -> None:
    """What can't be read as a URL is said to be none."""
    report = ask(mongodb_url="localhost:27017")
    assert "write MONGODB_URL as mongodb://" in report.line("mongodb", "broken")


def test_a_password_that_is_not_encoded(ask: Ask) -> None:
    """A slash in a password spoils the URL; no part of it is shown."""
    spoilt = f"://root:{_SECRET}/{_SECRET}@{HOST}"
    report = ask(
        mongodb_url=f"mongodb{spoilt}",
        redis_url=f"redis{spoilt}",
        celery_broker_url=f"amqp{spoilt}",
    )
    assert {"mongodb", "redis", "broker"} == set(report.broken()), report.text
    assert "%2F" in report.line("mongodb", "broken")
    assert _SECRET not in report.text


def test_redis_is_down(ask: Ask) -> None:
    """Nothing listens where REDIS_URL points."""
    report = ask(redis_url=f"redis://:{_SECRET}@{HOST}:{reserve_port()}/0")
    assert ["redis"] == report.broken()
    assert "start Redis" in report.line("redis", "broken")
    assert _SECRET not in report.text


def test_redis_wants_a_password(ask: Ask, cache: redis.Redis) -> None:
    """A missing password and a wrong one are named; neither shows one."""
    with _configured(cache, "requirepass", "the-right-one"):
        report = ask()
    assert "password into REDIS_URL" in report.line("redis", "broken")


def test_a_broker_that_evicts_messages(ask: Ask, cache: redis.Redis) -> None:
    """allkeys-lru is broken for the broker, and the command that mends it is told."""
    with _configured(cache, "maxmemory-policy", "allkeys-lru"):
        report = ask()
    assert ["redis eviction"] == report.broken()
    assert "maxmemory-policy noeviction" in report.line("redis eviction", "broken")


def test_a_cache_that_does_not_evict(ask: Ask, tmp_path: Path) -> None:
    """It fills with answers until it refuses them; the private one of `up` is as it should be."""
    assert "256 MB of answers" in ask().line("cache", "skipped")
    server = private_cache(tmp_path)
    with running(server), redis.Redis.from_url(server.url) as client:
        assert "allkeys-lru" in ask(cache_url=server.url).line("cache eviction", "ok")
        client.config_set("maxmemory-policy", "noeviction")
        report = ask(cache_url=server.url)
    assert "allkeys-lru" in report.line("cache eviction", "warning")
    assert ["cache"] == ask(cache_url=server.url).broken()
    assert ["cache"] == ask(cache_url="redis://host:port/0").broken()


def test_a_broker_that_keeps_nothing(ask: Ask, cache: redis.Redis) -> None:
    """A broker without an appendonly file is a warning."""
    with _configured(cache, "appendonly", "no"):
        report = ask()
    assert 0 == report.code
    assert "appendonly yes" in report.line("redis persistence", "warning")


def test_rabbitmq_is_down(ask: Ask) -> None:
    """Nothing listens where CELERY_BROKER_URL points."""
    report = ask(celery_broker_url=f"amqp://guest:{_SECRET}@{HOST}:{reserve_port()}//")
    assert ["broker"] == report.broken()
    assert "start RabbitMQ" in report.line("broker", "broken")
    assert _SECRET not in report.text


def test_no_known_broker(ask: Ask) -> None:
    """A scheme that no broker of ours speaks is named."""
    report = ask(celery_broker_url="kafka://here")
    assert "redis://" in report.line("broker", "broken")


def test_tradingview_refuses_the_token(ask: Ask, simulator: simulator_server.Simulator) -> None:
    """The WebSocket is well, the token is not, and is not shown."""
    report = ask(tradingview_token=f"{_SECRET}.{_SECRET}.{_SECRET}")
    assert ["tradingview token"] == report.broken(), report.text
    assert "TRADINGVIEW_TOKEN" in report.line("tradingview token", "broken")
    assert _SECRET not in report.text


def test_an_expired_token(ask: Ask) -> None:
    """A token's own expiry is read; a good one is taken."""
    now = int(time.time())
    expired = ask(tradingview_token=tokens.issue(1, now - 7200, valid_seconds=3600))
    assert "has expired" in expired.line("tradingview token", "broken")
    good = ask(tradingview_token=tokens.issue(1, now))
    assert "takes it" in good.line("tradingview token", "ok")


def test_tradingview_refuses_the_handshake(ask: Ask, simulator: simulator_server.Simulator) -> None:
    """HTTP 403 instead of a WebSocket."""
    simulator.order("refuse")
    try:
        report = ask()
    finally:
        simulator.lift()
    assert ["tradingview websocket"] == report.broken()
    assert "403" in report.line("tradingview websocket", "broken")


def test_tradingview_is_down(ask: Ask) -> None:
    """Neither the website nor the WebSocket is there."""
    port = reserve_port()
    report = ask(
        tradingview_url=f"ws://{HOST}:{port}/", tradingview_http_url=f"http://{HOST}:{port}"
    )
    assert ["tradingview website", "tradingview websocket"] == report.broken()


def test_wrong_settings_in_the_file(ask: Ask, tmp_path: Path) -> None:
    """Each wrong one with what is allowed, a likely slip of the pen, and all else still checked."""
    lines = ("WORKERS=none", "STREAMER_SHARDS=65", "LOG_LEVEL=LOUD", "TRADINGVEW_TOKEN=x", "SHOP=1")
    (tmp_path / ".env").write_text("\n".join(lines))
    report = ask()
    assert "≥ 1; the default is 2" in report.line("settings: WORKERS", "broken")
    assert "≥ 1 and ≤ 64" in report.line("settings: STREAMER_SHARDS", "broken")
    assert "DEBUG, INFO, WARNING, ERROR" in report.line("settings: LOG_LEVEL", "broken")
    assert "TRADINGVIEW_TOKEN" in report.line("settings: TRADINGVEW_TOKEN", "warning")
    assert "SHOP" not in report.text
    assert report.line("mongodb", "ok")


def test_settings_that_contradict_each_other(ask: Ask) -> None:
    """A lease shorter than a fetch with its wait, and a user name without its password."""
    for timeout in (20, 8):
        report = ask(lease_seconds=10, provider_timeout_seconds=timeout)
        assert "raise LEASE_SECONDS" in report.line("settings", "broken")
    report = ask(tradingview_username="somebody")
    assert "set both, or neither" in report.line("settings", "broken")


def test_the_default_password_in_production(ask: Ask, mongo: Mongo) -> None:
    """Flower's password has to be one's own there, and not none."""
    ApiKeys(mongo).create("first", Scope.ADMIN, int(time.time()))
    for known in ("pocketquant", ""):
        report = ask(environment="production", flower_password=known)
        assert ["passwords"] == report.broken()
        assert "FLOWER_PASSWORD" in report.line("passwords", "broken")
    well = ask(environment="production", flower_password=_SECRET)
    assert 0 == well.code
    assert _SECRET not in well.text


def test_production_without_a_key(ask: Ask, mongo: Mongo) -> None:
    """Nothing that listens starts before there is one that is neither revoked nor expired."""
    ours = {"environment": "production", "flower_password": _SECRET}
    keys, now = ApiKeys(mongo), int(time.time())
    keys.create("expired", Scope.ADMIN, now - 60, now - 30)
    assert "pocketquant keys create" in ask(**ours).line("api keys", "broken")
    assert "need none in development" in ask().line("api keys", "ok")
    keys.create("first", Scope.ADMIN, now)
    assert "1 that open the API" in ask(**ours).line("api keys", "ok")


def test_production_without_servers(ask: Ask) -> None:
    """Private servers are for development only."""
    report = ask(environment="production", flower_password=_SECRET, mongodb_url="")
    assert ["private mongod"] == report.broken()
    assert "set MONGODB_URL" in report.line("private mongod", "broken")


def test_development_that_others_can_reach(ask: Ask) -> None:
    """A host other than loopback, without ENVIRONMENT=production, is a warning."""
    report = ask(api_host="0.0.0.0")
    assert "API_HOST" in report.line("environment", "warning")


def test_private_servers_that_lack_a_library(ask: Ask, tmp_path: Path) -> None:
    """A mongod that does not find libcurl: the package to install is named."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "mongod"
    said = "mongod: error while loading shared libraries: libcurl.so.4: cannot open"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 127\n")
    program.chmod(0o755)
    report = ask(mongodb_url="", path=f"{folder}:{os.environ['PATH']}")
    assert "apt-get install libcurl4" in report.line("private mongod", "broken")


def test_a_port_taken_by_another_program(ask: Ask, simulator: simulator_server.Simulator) -> None:
    """What answers at API_PORT, and is not our API, is in the way."""
    port = int(simulator.http_url.rpartition(":")[2])
    report = ask(api_port=port)
    assert ["api"] == report.broken()
    assert "API_PORT" in report.line("api", "broken")


def test_a_data_folder_that_can_not_be_written(ask: Ask) -> None:
    """Even root can't write below /proc."""
    report = ask(data_dir="/proc/pocketquant")
    assert ["data dir"] == report.broken()
    assert "set DATA_DIR" in report.line("data dir", "broken")


def test_a_host_whose_clock_is_off(ask: Ask, cache: redis.Redis) -> None:
    """It is named with how far it is off, and what sets it right."""
    _announce(cache, clock_ahead_seconds=-7200.0)
    line = ask().line("clocks", "warning")
    assert "here's is 7200.0 s behind Redis's" in line
    assert "let NTP set the clock of here" in line


def test_steps_of_ticks_that_fail(ask: Ask, cache: redis.Redis) -> None:
    """Each with its reason, and where to look."""
    TickProblems(cache).note({"schedule all-series": "why"}, [])
    line = ask().line("ticks", "warning")
    assert "schedule all-series: why" in line
    assert "tick_step_failed" in line


def test_units_wait_and_no_worker_is_alive(ask: Ask, mongo: Mongo) -> None:
    """Work that nobody does is broken, and the command that does it is told."""
    _make_unit_wait(mongo)
    report = ask()
    assert ["workers"] == report.broken(), report.text
    assert "`pocketquant worker`" in report.line("workers", "broken")


def test_subscribed_symbols_and_no_streamer(ask: Ask, mongo: Mongo) -> None:
    """Symbols that nobody streams are broken."""
    Subscriptions(mongo).add([Symbol.parse("NASDAQ:AAPL")], 0)
    report = ask()
    assert ["streamers"] == report.broken(), report.text
    assert "`pocketquant streamer`" in report.line("streamers", "broken")
