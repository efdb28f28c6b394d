"""Redis behind Sentinels, for broker and cache, by its URL alone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from pocketquant.machine import embedded
from pocketquant.machine.embedded import HOST, PrivateServer, reserve_port
from pocketquant.servers.connections import open_redis, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

MASTER = "market"
SENTINELS = 3
SYNCS = 30


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The URL of three Sentinels of a master and a replica, and the master's process."""
    master, replica = (made(tmp_path / name) for name in ("master", "replica"))
    sentinels = [sentinel(tmp_path / f"sentinel-{n}", master) for n in range(SENTINELS)]
    with ExitStack() as ends:
        process = ends.enter_context(embedded.running(master))
        ends.enter_context(embedded.running(replica))
        with redis.Redis.from_url(replica.url) as client:
            client.replicaof(HOST, port_of(master))
            wait_until(
                "the replica follows", lambda: is_following(client), redis.ConnectionError, 60
            )
        for one in sentinels:
            ends.enter_context(embedded.running(one))
        for one in sentinels:
            wait_until("it knows the others", lambda one=one: knows_all(one), redis.RedisError, 60)
        hosts = ";".join(one.url for one in sentinels)
        yield f"{hosts}/0?master_name={MASTER}", psutil.Process(process.pid)


def made(folder: Path) -> PrivateServer:
    folder.mkdir()
    return embedded.private_redis(folder)


def sentinel(folder: Path, master: PrivateServer) -> PrivateServer:
    """Start redis-server as a Sentinel, with a file for its state."""
    folder.mkdir()
    port = reserve_port()
    config = folder / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind {HOST}\ndir {folder}\n"
        f"sentinel monitor {MASTER} {HOST} {port_of(master)} {SENTINELS - 1}\n"
        f"sentinel down-after-milliseconds {MASTER} 1000\n"
        f"sentinel failover-timeout {MASTER} 5000\n"
    )
    command = [master.command[0], str(config), "--sentinel"]

    def prepare() -> None:
        with redis.Redis(host=HOST, port=port) as client:
            wait_until("the Sentinel answers", client.ping, redis.RedisError, 60)

    return PrivateServer("sentinel", "redis_url", command, f"sentinel://{HOST}:{port}", prepare)


def port_of(server: PrivateServer) -> int:
    return int(server.command[server.command.index("--port") + 1])


def is_following(replica: redis.Redis) -> bool:
    return replica.info("replication")["master_link_status"] == "up"


def knows_all(one: PrivateServer) -> bool:
    host, port = one.url.removeprefix("sentinel://").split(":")
    with redis.Redis(host=host, port=int(port)) as client:
        state = client.sentinel_master(MASTER)
    return (state["num-slaves"], state["num-other-sentinels"]) == (1, SENTINELS - 1)


def test_a_job_goes_on_after_its_redis_was_killed(
    start_platform: Callable[..., Any],
    simulator: Any,
    watched: tuple[str, psutil.Process],
    kill: Callable[[psutil.Process], None],
) -> None:
    """The replica becomes master, all processes find it, and every sync is completed."""
    url, master = watched
    simulator.order("latency", None, 1.0)
    with start_platform(redis_url=url, workers=2, worker_slots=2) as fleet:
        workers = {worker.pid for worker in fleet.workers()}
        jobs = fleet.sync_each_in_background(f"SIM:S{750 + n:04}" for n in range(SYNCS))
        wait_until("some are done", lambda: fleet.ended(jobs) >= 4, (), 60)
        kill(master)
        assert fleet.ended(jobs) < SYNCS
        simulator.lift()
        for job_id in jobs:
            assert 1 == fleet.wait_for_job(job_id, 240)["counts"]["completed"]
        with open_redis(url) as client:
            assert "master" == client.info("replication")["role"]
        assert workers == {worker.pid for worker in fleet.workers()}
