"""MongoDB as a replica set of three whose primary steps down and is killed in mid-job."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pymongo
import pytest

from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.machine import embedded
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.servers.connections import open_mongo
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.plans import JobPlans
from tests.chaos.replica_set import ReplicaSet, address_of

pytestmark = pytest.mark.fault

MEMBERS = 3
SYNCS = 120


@pytest.fixture(scope="module")
def members(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """Three mongods on this machine, by address."""
    with ExitStack() as ends:
        started = {}
        for _ in range(MEMBERS):
            server = embedded.private_mongod(tmp_path_factory.mktemp("member"))
            process = subprocess.Popen(
                ending_with_parent(server.command), stdout=subprocess.DEVNULL
            )
            ends.callback(process.wait)
            ends.callback(process.kill)  # on SIGTERM a member without its set takes 15 s
            started[address_of(server)] = process
        yield started


@pytest.fixture(scope="module")
def replica_set(members: dict[str, "subprocess.Popen[bytes]"]) -> ReplicaSet:
    """The URL of the three as a replica set."""
    made = ReplicaSet(tuple(members))
    made.initiate()
    return made


@pytest.fixture(scope="module")
def replicated(start_platform: Any, replica_set: ReplicaSet) -> Iterator[Any]:
    """A platform on the replica set."""
    without = frozenset({"flower", "interactive", "push", "streamer"})
    with start_platform(without, mongodb_url=replica_set.url) as platform:
        yield platform


def test_decisive_reads_use_the_primary(replica_set: ReplicaSet) -> None:
    """Whatever the URL prefers, a lagging secondary closes no job with open units."""
    url = f"{replica_set.url}&readPreference=secondaryPreferred"
    mongo = open_mongo(url, "lagging")
    secondary = next(each for each in replica_set.addresses if each != replica_set.primary())
    only = pymongo.MongoClient[dict[str, Any]](secondary, directConnection=True)
    with mongo.client, only as member:
        make_collections_and_indexes(mongo)
        member.admin.command("fsync", lock=True)  # it answers, and replicates nothing
        try:
            jobs, plans = JobStore(mongo), JobPlans(mongo)
            for number in range(30):
                series = Series.parse(f"SIM:S{number:04}|1d")
                opened = jobs.open("sync", [SyncRequest(series)], "bulk", datetime.now(UTC))
                plan = plans.take(opened.job_id)
                assert plan is not None
                unit = plans.join(plan, next(plan.wants()))
                plans.end(opened.job_id)
                assert not jobs.close_one(opened.job_id)
                job = jobs.get(opened.job_id)
                assert job is not None
                assert (1, None) == (job.counts[UnitState.QUEUED], job.finished_at)
                assert unit == Ledger(mongo, jobs, 60, 8).get_unit(unit.id)
        finally:
            member.admin.command("fsyncUnlock")


def test_a_job_goes_on_under_another_primary(
    replicated: Any,
    replica_set: ReplicaSet,
    members: dict[str, "subprocess.Popen[bytes]"],
    simulator: Any,
    request: pytest.FixtureRequest,
) -> None:
    """The primary steps down and its successor is killed; all units end and all bars are stored."""
    wanted = [f"SIM:S{3800 + n:04}" for n in range(SYNCS)]
    simulator.order("latency", None, 0.3)
    request.addfinalizer(simulator.lift)
    job_id = replicated.sync_in_bulk(wanted)

    replicated.wait_for_completed(job_id, SYNCS // 4)
    first = replica_set.primary()
    replica_set.step_down()
    replica_set.wait_for_another(first)

    replicated.wait_for_completed(job_id, SYNCS // 2)
    second = replica_set.primary()
    assert replicated.counts(job_id)["completed"] < SYNCS
    members[second].kill()
    replica_set.wait_for_another(second)

    counts = replicated.wait_for_job(job_id, 120)["counts"]
    assert (SYNCS, SYNCS) == (counts["total"], counts["completed"])
    assert SYNCS == len(replicated.units(job_id))
    assert [] == replicated.wrong_series(wanted)
