"""`pocketquant doctor` on real servers: a healthy installation, and many broken ones."""

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
from pocketquant.coordination.handshakes import HandshakeRules, Handshakes
from pocketquant.coordination.tick_problems import TickProblems
from pocketquant.domain.backfills import Reach
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import Stop
from pocketquant.machine import embedded
from pocketquant.machine.embedded import HOST, private_cache, reserve_port, running
from pocketquant.servers.connections import Mongo, wait_until
from pocketquant.settings import Settings
from pocketquant.simulator import server as simulator_server
from pocketquant.simulator.wire import tokens
from pocketquant.storage.access import Scope
from pocketquant.storage.api_keys import ApiKeys
from pocketquant.storage.bars import Extent
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.storage.subscriptions import Subscriptions
from pocketquant.storage.sync_status import SyncStatuses

_SECRET = "hunter2secret"


@dataclass(frozen=True, slots=True)
class Report:
    """Output and exit code of the doctor."""

    code: int
    text: str

    def line(self, check: str, state: str) -> str:
        """Return finding and remedy of the check with this state; empty if there is none."""
        return " ".join(
            f"{one['found']} | {one['remedy']}"
            for one in json.loads(self.text)
            if (one["check"], one["state"]) == (check, state)
        )

    def broken(self) -> list[str]:
        return [one["check"] for one in json.loads(self.text) if one["state"] == "broken"]


Examine = Callable[..., Report]


@pytest.fixture(scope="module")
def simulator() -> Iterator[simulator_server.Simulator]:
    """A simulated TradingView."""
    with simulator_server.running() as simulator:
        yield simulator
        simulator.lift()


@pytest.fixture
def examine(
    mongo: Mongo,
    mongodb_url: str,
    redis_url: str,
    cache: redis.Redis,
    simulator: simulator_server.Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Examine:
    """Run the doctor on healthy servers, with settings of the test."""
    make_collections_and_indexes(mongo)
    healthy = {
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
            for name, value in {**healthy, **changes}.items():
                given.setenv(name.upper(), str(value))
            ran = CliRunner().invoke(main, ["doctor", *(() if is_table else ("--json",))])
        return Report(ran.exit_code, ran.stdout)

    return run


@contextmanager
def _mute_server() -> Iterator[int]:
    """The port of a server that accepts connections and never responds."""
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
    index = server.command.index("--replSet")
    command = [*server.command[:index], *server.command[index + 2 :]]
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


def test_a_healthy_installation_has_no_broken_check(examine: Examine, cache: redis.Redis) -> None:
    """With all servers and a live fleet, nothing is broken and the exit code is 0."""
    _announce(cache)
    report = examine()
    assert [] == report.broken(), report.text
    assert 0 == report.code
    assert report.line("mongodb replica set", "ok")
    assert report.line("workers", "ok")
    assert report.line("tradingview websocket", "ok")


def test_the_report_is_a_table(examine: Examine) -> None:
    """Without --json the report is a table with four columns."""
    report = examine(is_table=True)
    assert all(heading in report.text for heading in ("check", "state", "found", "remedy"))
    assert 0 == report.code


def test_an_unreachable_mongodb_is_broken(examine: Examine) -> None:
    """Checks that need MongoDB are skipped, the others run."""
    report = examine(mongodb_url=f"mongodb://root:{_SECRET}@{HOST}:{reserve_port()}/")
    assert 1 == report.code
    assert "start MongoDB" in report.line("mongodb", "broken")
    assert report.line("workers", "skipped")
    assert report.line("redis", "ok")
    assert _SECRET not in report.text


def test_a_refused_password_of_mongodb_is_broken(examine: Examine, mongodb_url: str) -> None:
    """The finding differs from that of an unreachable server, and hides the password."""
    report = examine(mongodb_url=mongodb_url.replace("://", f"://root:{_SECRET}@"))
    assert 1 == report.code
    assert "mend user and password in MONGODB_URL" in report.line("mongodb", "broken")
    assert _SECRET not in report.text


def test_hanging_servers_are_named(examine: Examine) -> None:
    """One run names every server that accepts connections and does not respond."""
    with _mute_server() as port:
        report = examine(
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


def test_a_standalone_mongod_is_no_replica_set(examine: Examine, tmp_path: Path) -> None:
    """It is broken if the URL names a replica set, else a warning."""
    with _standalone_mongod(tmp_path / "standalone") as url:
        named, plain = examine(mongodb_url=f"{url}?replicaSet=rs0"), examine(mongodb_url=url)
    assert ["mongodb replica set"] == named.broken(), named.text
    assert "rs.initiate()" in named.line("mongodb replica set", "broken")
    assert "rs.initiate()" in plain.line("mongodb replica set", "warning")


def test_missing_indexes_are_listed(examine: Examine, mongo: Mongo) -> None:
    """A dropped index is named."""
    mongo["units"].drop_index("by_queue_and_silence")
    assert "units.by_queue_and_silence" in examine().line("mongodb indexes", "warning")


def test_an_invalid_url_of_mongodb_is_broken(examine: Examine) -> None:
    """The remedy shows the form of the URL."""
    report = examine(mongodb_url="localhost:27017")
    assert "write MONGODB_URL as mongodb://" in report.line("mongodb", "broken")


def test_a_password_that_is_not_encoded_is_broken_and_hidden(examine: Examine) -> None:
    """A slash in a password makes the URL invalid; no part of it is shown."""
    invalid = f"://root:{_SECRET}/{_SECRET}@{HOST}"
    report = examine(
        mongodb_url=f"mongodb{invalid}",
        redis_url=f"redis{invalid}",
        celery_broker_url=f"amqp{invalid}",
    )
    assert {"mongodb", "redis", "broker"} == set(report.broken()), report.text
    assert "%2F" in report.line("mongodb", "broken")
    assert _SECRET not in report.text


def test_an_unreachable_redis_is_broken(examine: Examine) -> None:
    """No server listens at REDIS_URL."""
    report = examine(redis_url=f"redis://:{_SECRET}@{HOST}:{reserve_port()}/0")
    assert ["redis"] == report.broken()
    assert "start Redis" in report.line("redis", "broken")
    assert "sends quotes" in report.line("tradingview websocket", "ok")
    assert _SECRET not in report.text


def test_a_missing_password_of_redis_is_broken(examine: Examine, cache: redis.Redis) -> None:
    """The remedy names the setting."""
    with _configured(cache, "requirepass", "the-right-one"):
        report = examine()
    assert "password into REDIS_URL" in report.line("redis", "broken")


def test_a_broker_that_evicts_messages_is_broken(examine: Examine, cache: redis.Redis) -> None:
    """The remedy is the command that sets noeviction."""
    with _configured(cache, "maxmemory-policy", "allkeys-lru"):
        report = examine()
    assert ["redis eviction"] == report.broken()
    assert "maxmemory-policy noeviction" in report.line("redis eviction", "broken")


def test_a_cache_that_does_not_evict_is_a_warning(examine: Examine, tmp_path: Path) -> None:
    """It would fill until it refuses writes; the private cache of `up` is ok."""
    assert "256 MB of answers" in examine().line("cache", "skipped")
    server = private_cache(tmp_path)
    with running(server), redis.Redis.from_url(server.url) as client:
        assert "allkeys-lru" in examine(cache_url=server.url).line("cache eviction", "ok")
        client.config_set("maxmemory-policy", "noeviction")
        report = examine(cache_url=server.url)
    assert "allkeys-lru" in report.line("cache eviction", "warning")
    assert ["cache"] == examine(cache_url=server.url).broken()
    assert ["cache"] == examine(cache_url="redis://host:port/0").broken()


def test_a_broker_without_persistence_is_a_warning(examine: Examine, cache: redis.Redis) -> None:
    """The remedy is an appendonly file."""
    with _configured(cache, "appendonly", "no"):
        report = examine()
    assert 0 == report.code
    assert "appendonly yes" in report.line("redis persistence", "warning")


def test_an_unreachable_rabbitmq_is_broken(examine: Examine) -> None:
    """No server listens at CELERY_BROKER_URL."""
    report = examine(celery_broker_url=f"amqp://guest:{_SECRET}@{HOST}:{reserve_port()}//")
    assert ["broker"] == report.broken()
    assert "start RabbitMQ" in report.line("broker", "broken")
    assert _SECRET not in report.text


def test_an_unknown_kind_of_broker_is_broken(examine: Examine) -> None:
    """The remedy shows the supported forms of the URL."""
    report = examine(celery_broker_url="kafka://here")
    assert "redis://" in report.line("broker", "broken")


def test_a_pause_of_handshakes_is_kept(
    examine: Examine, cache: redis.Redis, simulator: simulator_server.Simulator
) -> None:
    """After a 429 the doctor does not connect either."""
    Handshakes(cache, HandshakeRules(1.0, 8, first_pause_seconds=50.0)).refused()
    before = simulator.tally.connections
    report = examine()
    assert 0 == report.code
    assert "may begin in 50 s" in report.line("tradingview websocket", "warning")
    assert before == simulator.tally.connections


def test_a_refused_token_is_broken(examine: Examine, simulator: simulator_server.Simulator) -> None:
    """The WebSocket itself is ok, and the token is not shown."""
    report = examine(tradingview_token=f"{_SECRET}.{_SECRET}.{_SECRET}")
    assert ["tradingview token"] == report.broken(), report.text
    assert "TRADINGVIEW_TOKEN" in report.line("tradingview token", "broken")
    assert _SECRET not in report.text


def test_an_expired_token_is_broken_and_a_valid_one_is_ok(examine: Examine) -> None:
    """The doctor reads the expiry in the token."""
    now = int(time.time())
    expired = examine(tradingview_token=tokens.issue(1, now - 7200, valid_seconds=3600))
    assert "has expired" in expired.line("tradingview token", "broken")
    good = examine(tradingview_token=tokens.issue(1, now))
    assert "takes it" in good.line("tradingview token", "ok")
    plan = "plan pro_premium: at most 20000 bars of a series below a day and 50 connections"
    assert plan in good.line("tradingview token", "ok")


def test_the_limit_that_a_sync_has_met_counts_more_than_reports(
    examine: Examine, mongo: Mongo
) -> None:
    """The doctor names the limit of a paid plan, and that of no plan."""
    series, reach = Series.parse("NASDAQ:AAPL|1h"), Reach(Stop.LIMIT, 0, 19_999, 0)
    SyncStatuses(mongo).mark_stored(series, Extent(), None, is_last=True, reach=reach)
    for token in (tokens.issue(1, int(time.time())), ""):
        found = examine(tradingview_token=token).line("tradingview token", "ok")
        assert "at most 19999 bars of a series below a day, as a sync has met" in found


def test_a_refused_handshake_of_tradingview_is_broken(
    examine: Examine, simulator: simulator_server.Simulator
) -> None:
    """The finding has the status of the response, 403."""
    simulator.order("refuse")
    try:
        report = examine()
    finally:
        simulator.lift()
    assert ["tradingview websocket"] == report.broken()
    assert "403" in report.line("tradingview websocket", "broken")


def test_an_unreachable_tradingview_is_broken(examine: Examine) -> None:
    """Website and WebSocket are separate checks."""
    port = reserve_port()
    report = examine(
        tradingview_url=f"ws://{HOST}:{port}/", tradingview_http_url=f"http://{HOST}:{port}"
    )
    assert ["tradingview website", "tradingview websocket"] == report.broken()


def test_wrong_settings_in_the_file_are_named(examine: Examine, tmp_path: Path) -> None:
    """Each has its allowed values, a misspelt name is a warning, and all other checks run."""
    lines = ("WORKERS=none", "STREAMER_SHARDS=65", "LOG_LEVEL=LOUD", "TRADINGVEW_TOKEN=x", "SHOP=1")
    (tmp_path / ".env").write_text("\n".join(lines))
    report = examine()
    assert "≥ 1; the default is 2" in report.line("settings: WORKERS", "broken")
    assert "≥ 1 and ≤ 64" in report.line("settings: STREAMER_SHARDS", "broken")
    assert "DEBUG, INFO, WARNING, ERROR" in report.line("settings: LOG_LEVEL", "broken")
    assert "TRADINGVIEW_TOKEN" in report.line("settings: TRADINGVEW_TOKEN", "warning")
    assert "SHOP" not in report.text
    assert report.line("mongodb", "ok")


def test_contradicting_settings_are_broken(examine: Examine) -> None:
    """Such as a lease shorter than a fetch with its wait, or a user name without a password."""
    for timeout in (20, 8):
        report = examine(lease_seconds=10, provider_timeout_seconds=timeout)
        assert "raise LEASE_SECONDS" in report.line("settings", "broken")
    report = examine(tradingview_username="somebody")
    assert "set both, or neither" in report.line("settings", "broken")


def test_the_default_password_in_production_is_broken(examine: Examine, mongo: Mongo) -> None:
    """So is an empty password of Flower."""
    ApiKeys(mongo).create("first", Scope.ADMIN, int(time.time()))
    for known in ("pocketquant", ""):
        report = examine(environment="production", flower_password=known)
        assert ["passwords"] == report.broken()
        assert "FLOWER_PASSWORD" in report.line("passwords", "broken")
    healthy = examine(environment="production", flower_password=_SECRET)
    assert 0 == healthy.code
    assert _SECRET not in healthy.text


def test_production_without_a_valid_key_is_broken(examine: Examine, mongo: Mongo) -> None:
    """An expired key does not count, and development needs none."""
    ours = {"environment": "production", "flower_password": _SECRET}
    keys, now = ApiKeys(mongo), int(time.time())
    keys.create("expired", Scope.ADMIN, now - 60, now - 30)
    assert "pocketquant keys create" in examine(**ours).line("api keys", "broken")
    assert "need none in development" in examine().line("api keys", "ok")
    keys.create("first", Scope.ADMIN, now)
    assert "1 that open the API" in examine(**ours).line("api keys", "ok")


def test_production_without_urls_of_servers_is_broken(examine: Examine) -> None:
    """Only development may start private servers."""
    report = examine(environment="production", flower_password=_SECRET, mongodb_url="")
    assert ["private mongod"] == report.broken()
    assert "set MONGODB_URL" in report.line("private mongod", "broken")


def test_development_on_a_network_is_a_warning(examine: Examine) -> None:
    """A host other than loopback needs ENVIRONMENT=production."""
    report = examine(api_host="0.0.0.0")
    assert "API_HOST" in report.line("environment", "warning")


def test_a_private_server_without_its_library_is_broken(examine: Examine, tmp_path: Path) -> None:
    """The remedy names the package of libcurl for mongod."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "mongod"
    message = "mongod: error while loading shared libraries: libcurl.so.4: cannot open"
    program.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 127\n")
    program.chmod(0o755)
    report = examine(mongodb_url="", path=f"{folder}:{os.environ['PATH']}")
    assert "apt-get install libcurl4" in report.line("private mongod", "broken")


def test_a_port_of_another_program_is_broken(
    examine: Examine, simulator: simulator_server.Simulator
) -> None:
    """Another HTTP server listens at API_PORT."""
    port = int(simulator.http_url.rpartition(":")[2])
    report = examine(api_port=port)
    assert ["api"] == report.broken()
    assert "API_PORT" in report.line("api", "broken")


def test_a_read_only_data_folder_is_broken(examine: Examine) -> None:
    """Even root cannot write to /proc."""
    report = examine(data_dir="/proc/pocketquant")
    assert ["data dir"] == report.broken()
    assert "set DATA_DIR" in report.line("data dir", "broken")


def test_a_wrong_clock_of_a_host_is_a_warning(examine: Examine, cache: redis.Redis) -> None:
    """The finding has the host and the offset, the remedy sets the clock."""
    _announce(cache, clock_ahead_seconds=-7200.0)
    line = examine().line("clocks", "warning")
    assert "here's is 7200.0 s behind Redis's" in line
    assert "let NTP set the clock of here" in line


def test_a_failing_step_of_ticks_is_a_warning(examine: Examine, cache: redis.Redis) -> None:
    """The finding has its reason, the remedy names the log event."""
    TickProblems(cache).note({"schedule all-series": "why"}, [])
    line = examine().line("ticks", "warning")
    assert "schedule all-series: why" in line
    assert "tick_step_failed" in line


def test_waiting_units_without_a_worker_are_broken(examine: Examine, mongo: Mongo) -> None:
    """The remedy is the command that starts one."""
    _make_unit_wait(mongo)
    report = examine()
    assert ["workers"] == report.broken(), report.text
    assert "`pocketquant worker`" in report.line("workers", "broken")


def test_subscribed_symbols_without_a_streamer_are_broken(examine: Examine, mongo: Mongo) -> None:
    """The remedy is the command that starts one."""
    Subscriptions(mongo).add([Symbol.parse("NASDAQ:AAPL")], 0)
    report = examine()
    assert ["streamers"] == report.broken(), report.text
    assert "`pocketquant streamer`" in report.line("streamers", "broken")
