"""A Redis that answers but refuses writes is handled like one that is away."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import History, SyncRequest, UnitState
from pocketquant.history.paced_provider import PacedProvider
from pocketquant.machine import embedded
from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.messaging.queues import QueueName, celery_app
from pocketquant.servers.connections import open_redis, translating_driver_errors, wait_until
from pocketquant.wiring import Platform, wire_syncer

AAPL = Series.parse("NASDAQ:AAPL|1d")
SCRIPT = "return redis.call('SET', KEYS[1], 'x')"

Refuse = Callable[[redis.Redis, Path], None]


def run_out_of_memory(client: redis.Redis, _: Path) -> None:
    client.set("large", b"0" * 2_000_000)
    client.config_set("maxmemory", 1_000_000)


def fail_to_save(client: redis.Redis, folder: Path) -> None:
    """Delete its folder, so that it can't write its snapshot."""
    gone = folder / "gone"
    gone.mkdir()
    client.config_set("dir", str(gone))
    shutil.rmtree(gone)
    client.config_set("save", "1 1")
    client.bgsave()
    wait_until(
        "the snapshot has failed",
        lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err",
        (),
        60,
    )


def lack_replicas(client: redis.Redis, _: Path) -> None:
    client.config_set("min-replicas-to-write", 1)


def become_a_replica(client: redis.Redis, _: Path) -> None:
    client.replicaof(embedded.HOST, "1")


REFUSALS = [run_out_of_memory, fail_to_save, lack_replicas, become_a_replica]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[redis.Redis]:
    """A redis-server for this test only."""
    server = embedded.private_redis(tmp_path)
    with embedded.running(server), open_redis(server.url) as made:
        yield made


@pytest.mark.parametrize("refuse", REFUSALS)
def test_a_refused_write_is_named_as_our_own_trouble(
    client: redis.Redis, tmp_path: Path, refuse: Refuse
) -> None:
    """This holds for a command, a transaction, a script, and a published message."""
    dispatcher = Dispatcher(celery_app(url_of(client)))
    script = client.register_script(SCRIPT)
    script(["before"])
    refuse(client, tmp_path)

    def write_in_a_transaction() -> None:
        with client.pipeline(transaction=True) as both:
            both.set("key", "x").publish("channel", "x").execute()

    writes: list[Callable[[], object]] = [
        lambda: client.set("key", "x"),
        write_in_a_transaction,
        lambda: script(["key"]),
        lambda: dispatcher.publish_plan("job"),
    ]
    for write in writes:
        with pytest.raises(StorageUnavailable), translating_driver_errors():
            write()


def test_an_error_of_our_own_making_is_still_one(client: redis.Redis) -> None:
    """A wrong type is not an error of the server."""
    client.rpush("key", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"), translating_driver_errors():
        client.get("key")


class UnusedProvider:
    """A provider that must not be called."""

    def fetch(self, _: SyncRequest) -> History:
        raise AssertionError("the governor could not give a slot")


@pytest.mark.parametrize("refuse", [fail_to_save, lack_replicas, become_a_replica])
def test_a_redis_that_refuses_is_not_held_against_a_unit(
    client: redis.Redis, tmp_path: Path, wire_with: Callable[..., Platform], refuse: Refuse
) -> None:
    """The unit waits for its next attempt with all its tries."""
    wired = wire_with(redis_url=url_of(client))
    unit_id = wired.intake.submit(SyncRequest(AAPL, 10), QueueName.BULK).unit.id
    syncer = replace(wire_syncer(wired), provider=PacedProvider(UnusedProvider(), wired.governor))
    refuse(client, tmp_path)
    syncer.do(unit_id)
    unit = wired.ledger.get_unit(unit_id)
    assert unit is not None
    assert (UnitState.QUEUED, 0) == (unit.state, unit.tries)
    assert isinstance(unit.error, StorageUnavailable)


def url_of(client: redis.Redis) -> str:
    return "redis://{host}:{port}/0".format(**client.get_connection_kwargs())
