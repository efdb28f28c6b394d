"""MongoDB as a replica set of three whose primary steps down and is killed in mid-job."""

from collections.abc import Iterator
from typing import Any

import pytest

from pocketquant.connections import wait_until

pytestmark = pytest.mark.fault

SYNCS = 120


@pytest.fixture(scope="module")
def replica_set(start_replica_set: Any) -> Any:
    return start_replica_set(3)


@pytest.fixture(scope="module")
def replicated(start_platform: Any, replica_set: Any) -> Iterator[Any]:
    """A platform on the replica set."""
    without = frozenset({"flower", "interactive", "push"})
    with start_platform(without, mongodb_url=replica_set.url) as platform:
        yield platform


def test_a_job_goes_on_under_another_primary(
    replicated: Any, replica_set: Any, simulator: Any, request: pytest.FixtureRequest
) -> None:
    """The primary steps down, its successor is killed: every unit is done, every bar is there."""
    wanted = [f"SIM:S{3800 + n:04}" for n in range(SYNCS)]
    simulator.order("latency", None, 0.3)
    request.addfinalizer(simulator.lift)
    job_id = replicated.sync_in_bulk(wanted)

    replicated.wait_for_completed(job_id, SYNCS // 4)
    first = replica_set.primary()
    replica_set.step_down()
    wait_until("another is primary", lambda: replica_set.primary() != first, (), 30)

    replicated.wait_for_completed(job_id, SYNCS // 2)
    second = replica_set.primary()
    replica_set.members[second].kill()
    assert replicated.counts(job_id)["completed"] < SYNCS
    wait_until("a third is primary", lambda: replica_set.primary() != second, (), 30)

    counts = replicated.wait_for_job(job_id, 120)["counts"]
    assert (SYNCS, SYNCS) == (counts["total"], counts["completed"])
    assert SYNCS == len(replicated.units(job_id))
    assert [] == replicated.wrong_series(wanted)
