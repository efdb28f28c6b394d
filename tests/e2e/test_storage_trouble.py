"""MongoDB and Redis going away under the platform, and coming back."""

from collections.abc import Iterator
from typing import Any

import pytest

from pocketquant.servers.connections import wait_until

pytestmark = pytest.mark.fault

BACK_SECONDS = 45
SYNCS = 100


@pytest.fixture(scope="module")
def own_platform(start_platform: Any) -> Iterator[Any]:
    """A platform whose servers this module may stop."""
    with start_platform() as platform:
        yield platform


def syncs_again(platform: Any, symbol: str) -> None:
    def is_synced() -> bool:
        return bool(platform.sync(symbol, n_bars=10).status == 200)

    wait_until("syncs work again", is_synced, (), BACK_SECONDS)
    assert platform.get("/health").status == 200


@pytest.mark.parametrize(("server", "symbol"), [("mongod", "SIM:S0301"), ("redis", "SIM:S0302")])
def test_a_missing_server_is_503_and_recovery_is_automatic(
    own_platform: Any, server: str, symbol: str
) -> None:
    """503 `storage_unavailable` while it is away; all works again once it is back."""
    own_platform.sync(symbol, n_bars=10)
    own_platform.control("stop", f"servers:{server}-0")
    try:
        answer = own_platform.sync(symbol, n_bars=10)
        assert (answer.status, answer.body["error"]) == (503, "storage_unavailable")
        health = own_platform.get("/health")
        assert health.status == 503
    finally:
        own_platform.control("start", f"servers:{server}-0")
    syncs_again(own_platform, symbol)


def test_stored_bars_are_read_while_redis_is_away(own_platform: Any) -> None:
    """Without the cache, reads use MongoDB."""
    own_platform.sync("SIM:S0303", n_bars=10)
    own_platform.control("stop", "servers:redis-0")
    try:
        answer = own_platform.get("/api/v1/market-data/ohlcv/SIM/S0303", interval="1d")
        assert answer.status == 200
        assert answer.body["count"] >= 9
    finally:
        own_platform.control("start", "servers:redis-0")
    syncs_again(own_platform, "SIM:S0303")


@pytest.mark.parametrize("server", ["mongod", "redis"])
def test_processes_started_before_their_servers_wait(own_platform: Any, server: str) -> None:
    """All programs started without a server log that they wait for it, and then work."""
    own_platform.control("stop", f"servers:{server}-0")
    own_platform.control("restart", "pocketquant:*")

    def health_says_so() -> bool:
        return bool(own_platform.get("/health").status == 503)

    wait_until("web is up and says 503", health_says_so, (OSError,), BACK_SECONDS)
    own_platform.control("start", f"servers:{server}-0")
    syncs_again(own_platform, "SIM:S0304")


TROUBLE = {
    "redis_restarted": lambda platform, _: platform.control("restart", "servers:redis-0"),
    "redis_killed": lambda platform, kill: kill(platform.processes("redis-server")[0]),
    "redis_wiped": lambda platform, _: platform.broker.flushall(),
    "mongod_restarted": lambda platform, _: platform.control("restart", "servers:mongod-0"),
    "mongod_killed": lambda platform, kill: kill(platform.processes("bin/mongod")[0]),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_job_goes_on_through_the_trouble_of_a_server(
    own_platform: Any, simulator: Any, kill: Any, trouble: str
) -> None:
    """The workers and beat that met it complete the job; no unit is lost or counted twice."""
    first = 3200 + SYNCS * list(TROUBLE).index(trouble)
    wanted = [f"SIM:S{first + n:04}" for n in range(SYNCS)]
    simulator.order("latency", None, 0.2)
    before = workers_and_beat(own_platform)
    job_id = own_platform.sync_in_bulk(wanted)
    own_platform.wait_for_completed(job_id, SYNCS // 4)
    TROUBLE[trouble](own_platform, kill)
    simulator.lift()
    counts = own_platform.wait_for_job(job_id)["counts"]
    assert (SYNCS, SYNCS) == (counts["total"], counts["completed"])
    assert SYNCS == len(own_platform.units(job_id))
    assert [] == own_platform.wrong_series(wanted)
    assert before == workers_and_beat(own_platform)


def workers_and_beat(platform: Any) -> set[int]:
    processes = [*platform.workers(), *platform.processes("workers.app beat")]
    assert len(processes) == 2
    return {process.pid for process in processes}
