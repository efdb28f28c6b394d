"""The provider is down for a while: calls stop, probes go on, and then all work is done."""

from contextlib import ExitStack
from typing import Any

import pytest

from pocketquant.coordination.governor import Temper
from pocketquant.machine.embedded import reserve_port
from pocketquant.servers.connections import wait_until
from pocketquant.simulator import server

pytestmark = pytest.mark.fault

SYNCS = 100
SLOTS = 8


def test_the_breaker_opens_is_seen_and_closes(
    platform_without_workers: Any, start_worker: Any
) -> None:
    """Refused connections until a probe has failed, too: few attempts are lost, and no unit."""
    wanted = [f"SIM:S{4000 + n:04}" for n in range(SYNCS)]
    ports = reserve_port(), reserve_port()

    def breaker() -> dict[str, Any]:
        return dict(platform_without_workers.fleet()["breaker"])

    with ExitStack() as outage:
        provider = outage.enter_context(server.running(*ports))
        provider.order("latency", None, 0.3)
        start_worker(platform_without_workers, provider)
        job_id = platform_without_workers.sync_in_bulk(wanted)
        platform_without_workers.wait_for_completed(job_id, SLOTS)

    wait_until("it is open", lambda: breaker()["state"] == "open", (), 60)
    opened = breaker()
    assert "down" == opened["last_reason"]
    assert opened["consecutive_failures"] >= Temper().failures_to_open

    def has_failed_again() -> bool:
        return bool(breaker()["next_probe_at"] > opened["next_probe_at"])

    wait_until("a probe has failed", has_failed_again, (), 60)
    assert opened["opened_at"] == breaker()["opened_at"]

    with server.running(*ports):
        wait_until("it is closed", lambda: breaker()["state"] == "closed", (), 90)
        counts = platform_without_workers.wait_for_job(job_id, 90)["counts"]
    assert (SYNCS, SYNCS) == (counts["total"], counts["completed"])
    assert [] == platform_without_workers.wrong_series(wanted)
    lost_attempts = sum(unit["tries"] - 1 for unit in platform_without_workers.units(job_id))
    probes = 2
    assert lost_attempts <= Temper().failures_to_open + SLOTS + probes
