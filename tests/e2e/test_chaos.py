"""A short run of `make chaos`: servers and processes fail, and no invariant is violated."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil
import pytest
from pymongo.database import Database

from pocketquant.servers.connections import wait_until
from tests.chaos.invariants import Ended
from tests.chaos.run import at_rest

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

SEED = 3
MINUTES = 0.5


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """A machine that has recovered from half a minute of failures; no process survives the test."""
    folder = tmp_path_factory.mktemp("chaos")
    with at_rest(SEED, MINUTES, folder, print) as ended:
        yield ended
    left = [process for process in psutil.process_iter(["cmdline"]) if is_of(folder, process)]
    assert [] == left


def is_of(folder: Path, process: psutil.Process) -> bool:
    return str(folder) in " ".join(process.info["cmdline"] or ())


def test_no_invariant_is_violated(ended: Ended) -> None:
    """After failures of everything, and more than 50 completed units."""
    assert [] == ended.violations(), ended.summary()
    assert ended.mongo["units"].count_documents({"state": "completed"}) > 50, ended.summary()


def test_each_kind_of_damage_is_a_violation(ended: Ended) -> None:
    """The check names each damage that the test does to the database.

    Schedules are paused, since a sync would mend damaged bars before the check.
    """
    ended.mongo["schedules"].update_many({}, {"$set": {"paused": True}})
    active = partial(ended.mongo["units"].count_documents, {"active": True})
    wait_until("no sync is under way", lambda: active() == 0, (), 60)
    expected = set(damaged(ended.mongo))
    found = ended.violations()
    missed = {text for text in expected if not any(text in violation for violation in found)}
    assert set() == missed, found


def damaged(mongo: Database) -> Iterator[str]:
    """Do one damage of each kind, and yield a part of its expected violation."""
    kept = [job["_id"] for job in mongo["jobs"].find({"cancelled": {"$ne": True}}, {"_id": True})]
    done = {"state": "completed", "jobs.1": {"$exists": False}, "jobs.0": {"$in": kept}}
    orphan, cancelled, held = mongo["units"].find(done).sort("_id").limit(3)
    failed = {"state": "failed", "error": {"code": "unknown_symbol", "message": ""}}
    mongo["units"].update_one({"_id": orphan["_id"]}, {"$set": {**failed, "jobs": []}})
    yield f"dead letter {orphan['_id']}"
    mongo["units"].update_one({"_id": cancelled["_id"]}, {"$set": {"state": "cancelled"}})
    yield f"unit {cancelled['_id']} of {cancelled['series']} is cancelled"
    yield f"job {cancelled['jobs'][0]} has counts"
    running = {"state": "running", "active": True, "lease_until": datetime(2100, 1, 1, tzinfo=UTC)}
    mongo["units"].update_one({"_id": held["_id"]}, {"$set": running})
    yield f"unit {held['_id']} of {held['series']} is still running"
    stuck = mongo["sync_status"].find_one({"status": "completed"})
    mongo["sync_status"].update_one({"_id": stuck["_id"]}, {"$set": {"status": "pending"}})
    yield f"status of {stuck['_id']} is stuck"
    mongo["schedules"].update_one({"_id": "all-series"}, {"$set": {"last_run_at": None}})
    yield "schedule all-series has never run"
    chunk = mongo["ohlcv"].find_one(sort=[("_id", -1)])
    wrong = chunk["columns"][:-1] + bytes([chunk["columns"][-1] ^ 1])
    mongo["ohlcv"].update_one({"_id": chunk["_id"]}, {"$set": {"columns": wrong}})
    yield f"stored {chunk['_id'].rpartition('|')[0]}: 1 of"
