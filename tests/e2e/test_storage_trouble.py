"""MongoDB and Redis going away under the platform, and coming back."""

from collections.abc import Iterator
from typing import Any

import pytest

from pocketquant.connections import wait_until

pytestmark = pytest.mark.fault

BACK_SECONDS = 45


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
def test_a_server_that_went_away_is_503_and_recovery_needs_nobody(
    own_platform: Any, server: str, symbol: str
) -> None:
    """503 `storage_unavailable` while it is away, and everything works when it is back."""
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
    """The cache may be lost; reads go on from MongoDB."""
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
    """Web, worker and beat started without a server wait for it, say so, and then work."""
    programs = [f"pocketquant:{name}-0" for name in ("web", "worker", "beat")]
    own_platform.control("stop", f"servers:{server}-0")
    for program in programs:
        own_platform.control("restart", program)

    def health_says_so() -> bool:
        return bool(own_platform.get("/health").status == 503)

    wait_until("web is up and says 503", health_says_so, (OSError,), BACK_SECONDS)
    own_platform.control("start", f"servers:{server}-0")
    syncs_again(own_platform, "SIM:S0304")


def test_a_sync_in_progress_survives_a_restart_of_mongod(own_platform: Any, simulator: Any) -> None:
    """The unit is done after mongod is back, by the same worker or by the next attempt."""
    simulator.order("latency", "SIM:S0305", 2)
    job_id = own_platform.sync_in_background("SIM:S0305", n_bars=10)
    wait_until(
        "the unit is running",
        lambda: own_platform.job(job_id)["counts"]["running"] == 1,
        (),
        10,
    )
    own_platform.control("restart", "servers:mongod-0")
    simulator.lift()
    syncs_again(own_platform, "SIM:S0306")
    assert own_platform.wait_for_job(job_id)["counts"]["completed"] == 1
