"""MongoDB as a replica set of three whose primary steps down and is killed in mid-job."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pymongo
import pytest
from pymongo.errors import ConnectionFailure
from pymongo.uri_parser import parse_uri

from pocketquant import embedded
from pocketquant.connections import wait_until
from pocketquant.tether import tethered

pytestmark = pytest.mark.fault

MEMBERS = 3
SYNCS = 120


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """The set, its members by address."""

    members: dict[str, "subprocess.Popen[bytes]"]

    @property
    def url(self) -> str:
        return f"mongodb://{','.join(self.members)}/?replicaSet={embedded.REPLICA_SET}"

    def initiate(self) -> None:
        """Make them one set, which elects within seconds."""
        for address in self.members:
            with pymongo.MongoClient(address, directConnection=True) as member:
                ping = partial(member.admin.command, "ping")
                wait_until("it answers", ping, ConnectionFailure, 60)
        members = [{"_id": n, "host": address} for n, address in enumerate(self.members)]
        settings = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}
        config = {"_id": embedded.REPLICA_SET, "members": members, "settings": settings}
        with pymongo.MongoClient(next(iter(self.members)), directConnection=True) as member:
            member.admin.command("replSetInitiate", config)
        wait_until("there is a primary", self.primary, ConnectionFailure, 60)

    def primary(self) -> str:
        with pymongo.MongoClient(self.url, serverSelectionTimeoutMS=2000) as client:
            return str(client.admin.command("hello")["me"])

    def step_down(self) -> None:
        """Have the primary hand over, and not come back for a minute."""
        with pymongo.MongoClient(self.url) as client:
            client.admin.command("replSetStepDown", 60)

    def wait_for_another(self, than: str) -> None:
        """Wait until another member is primary."""
        wait_until("it is another", lambda: self.primary() != than, ConnectionFailure, 30)


@pytest.fixture(scope="module")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    """Three members on this machine."""
    with ExitStack() as ends:
        members = {}
        for _ in range(MEMBERS):
            server = embedded.private_mongod(tmp_path_factory.mktemp("member"))
            host, port = parse_uri(server.url)["nodelist"][0]
            process = subprocess.Popen(tethered(server.command), stdout=subprocess.DEVNULL)
            ends.callback(process.wait)
            ends.callback(process.kill)  # told to end, one without its set takes 15 s
            members[f"{host}:{port}"] = process
        made = ReplicaSet(members)
        made.initiate()
        yield made


@pytest.fixture(scope="module")
def replicated(start_platform: Any, replica_set: Any) -> Iterator[Any]:
    """A platform on the replica set."""
    without = frozenset({"flower", "interactive", "push", "streamer"})
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
    replica_set.wait_for_another(first)

    replicated.wait_for_completed(job_id, SYNCS // 2)
    second = replica_set.primary()
    assert replicated.counts(job_id)["completed"] < SYNCS
    replica_set.members[second].kill()
    replica_set.wait_for_another(second)

    counts = replicated.wait_for_job(job_id, 120)["counts"]
    assert (SYNCS, SYNCS) == (counts["total"], counts["completed"])
    assert SYNCS == len(replicated.units(job_id))
    assert [] == replicated.wrong_series(wanted)
