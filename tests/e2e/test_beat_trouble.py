"""Two beats, one of them killed: no run of a schedule is missed, none is run twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from pocketquant.messaging.queues import TICK, QueueName, celery_app
from pocketquant.servers.connections import wait_until

pytestmark = pytest.mark.fault

NAME = "all-series"
TRACKED = [f"SIM:S{4200 + n:04}" for n in range(3)]
RACING_TICKS = 20
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LEAP_DAY = "0 0 29 2 *"  # else a full hour would bring a run of its own


@pytest.fixture(scope="module")
def beatless(start_platform: Any) -> Iterator[Any]:
    """A platform with two workers and no beat; the test decides when its schedule is due."""
    without = frozenset({"flower", "interactive", "push", "streamer", "beat"})
    with start_platform(without, workers=2, worker_slots=4, tick_seconds=0.5) as platform:
        resumed = {"paused": False, "cron": LEAP_DAY}
        answer = platform.call("PUT", f"/api/v1/schedules/{NAME}", json=resumed)
        assert answer.status == 200, answer.body
        yield platform


class Runs:
    """Counts the expected runs of the schedule, and reads the actual ones."""

    def __init__(self, platform: Any) -> None:
        self._platform = platform
        self._due = count(1)
        self.expected = 0

    def let_one_be_due(self) -> None:
        """Make the schedule due, each time at another time."""
        at = LONG_AGO + timedelta(minutes=next(self._due))
        self._platform.mongo["schedules"].update_one({"_id": NAME}, {"$set": {"next_run_at": at}})
        self.expected += 1

    def ask_for_one(self) -> None:
        answer = self._platform.call("PUT", f"/api/v1/schedules/{NAME}", json={"run_now": True})
        assert answer.status == 200, answer.body
        self.expected += 1

    def race(self) -> None:
        """Publish further ticks, which all slots of both workers run at once."""
        app = celery_app(self._platform.broker_url)
        for _ in range(RACING_TICKS):
            app.send_task(TICK, queue=QueueName.INTERACTIVE)
        app.close()

    def wait_for_end(self) -> None:
        wait_until("the runs have ended", self._have_ended, (), 60)
        assert self.expected == len(self.jobs())

    def jobs(self) -> list[dict[str, Any]]:
        return list(self._platform.mongo["jobs"].find({"kind": f"schedule:{NAME}"}))

    def _have_ended(self) -> bool:
        schedule = self._platform.mongo["schedules"].find_one({"_id": NAME})
        is_idle = not (schedule["starting"] or schedule["has_open_job"] or schedule["run_request"])
        return is_idle and len(self.jobs()) >= self.expected


def messages(platform: Any) -> int:
    return sum(queue["length"] for queue in platform.fleet()["queues"])


def test_runs_are_neither_missed_nor_doubled(beatless: Any, start_program: Any) -> None:
    """With two beats, one, or none for a while, each run makes one job."""
    for symbol in TRACKED:
        assert beatless.sync(symbol, n_bars=10).status == 200
    runs = Runs(beatless)
    beats = [start_program(beatless, "beat") for _ in range(2)]
    wait_until("both beat", lambda: len(beatless.fleet()["beats"]) == 2, (), 60)
    for begin in (runs.let_one_be_due, runs.ask_for_one, runs.let_one_be_due):
        begin()
        runs.race()
        runs.wait_for_end()

    beats[0].kill()
    for begin in (runs.let_one_be_due, runs.ask_for_one):
        begin()
        runs.wait_for_end()

    beats[1].kill()
    beats[1].wait()
    wait_until("the last tick is over", lambda: messages(beatless) == 0, (), 60)
    runs.let_one_be_due()
    start_program(beatless, "beat")
    runs.wait_for_end()
    keys = {job["key"] for job in runs.jobs()}
    assert runs.expected == len(keys) == len(runs.jobs())
    totals = {(job["counts"]["completed"], job["total"]) for job in runs.jobs()}
    assert {(len(TRACKED), len(TRACKED))} == totals
