"""A run: some minutes of trouble, then rest, then checks."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from pocketquant.servers.connections import wait_until
from tests.chaos import keeping
from tests.chaos import machine as machines
from tests.chaos.events import EventLog
from tests.chaos.invariants import Ended
from tests.chaos.plan import OFTEN, Act, Plan, Trouble, draw
from tests.chaos.record import Record
from tests.chaos.troubles import Troubles
from tests.chaos.users import Users
from tests.chaos.witness import Exchange

_REST_SECONDS = 300.0
_STATUS_SECONDS = 30.0
_MOST_ASKING = 48  # users at a time; troubles do not wait for them
_MOST_HARMING = 32
_OPEN = {"$in": ["pending", "syncing"]}


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run."""

    seed: int
    violations: list[str]
    summary: str
    events: EventLog


def run(seed: int, minutes: float, folder: Path, say: Callable[[str], None]) -> Result:
    """Run the troubles of this seed and check the result; data and logs are in the folder."""
    with at_rest(seed, minutes, folder, say) as ended:
        say("at rest; judging")
        violations, summary = ended.violations(), ended.summary()
        for violation in violations:
            ended.users.events.note("violation", what=violation)
        if violations:
            keeping.dump(ended.mongo, folder)
        return Result(seed, violations, summary, ended.users.events)


@contextmanager
def at_rest(seed: int, minutes: float, folder: Path, say: Callable[[str], None]) -> Iterator[Ended]:
    """Yield the running machine after the troubles of this seed, repaired and without open work."""
    events = EventLog(folder / "events.log")
    plan = draw(seed, minutes * 60, machines.PROGRAMS)
    record, is_over = Record(), Event()
    say(
        f"seed {seed}: {len(plan.acts)} acts, {len(plan.troubles)} troubles,"
        f" reads from {plan.read_preference}; logs in {folder}"
    )
    try:
        with machines.running(folder, events, plan.read_preference) as machine:
            users = Users(machine.web_urls, machine.push_url, record, events, is_over)
            troubles = Troubles(machine, events, is_over)
            users.prepare()
            say("all runs; trouble begins")
            events.note("begun")
            _follow(plan, users, troubles, events, is_over)
            say("trouble is over; everything is repaired")
            troubles.heal()
            events.note("healed")
            users.set_schedules(_rare())
            users.retry_all_dead_letters()
            exchange = Exchange(machine.provider_url, machine.provider_http_url)
            with machine.mongo() as mongo:
                record.wrong += _wait_for_rest(mongo, events)
                record.wrong += machine.keeper.faults
                yield Ended(mongo, exchange, users, record)
    finally:
        keeping.remove_data(folder)
        events.note("ended")
        events.close()


def _follow(plan: Plan, users: Users, troubles: Troubles, events: EventLog, is_over: Event) -> None:
    """Do all acts and troubles at their moments; return when all are done."""
    began = time.monotonic()
    steps: list[Act | Trouble] = [*plan.acts, *plan.troubles]
    steps.sort(key=attrgetter("at"))

    def do(step: Act | Trouble) -> None:
        try:
            if isinstance(step, Act):
                users.do(step)
            else:
                troubles.do(step)
        except Exception as error:
            events.note("step_failed", step=step, why=repr(error))
            raise

    asking, harming = ThreadPoolExecutor(_MOST_ASKING), ThreadPoolExecutor(_MOST_HARMING)
    try:
        futures = []
        for step in steps:
            is_over.wait(max(0.0, began + step.at - time.monotonic()))
            pool = asking if isinstance(step, Act) else harming
            futures.append(pool.submit(do, step))
        for future in futures:
            future.result()
    except BaseException:
        is_over.set()
        raise
    finally:
        for pool in (asking, harming):  # pending calls end with their servers
            pool.shutdown(wait=False, cancel_futures=True)


def _rare() -> dict[str, str]:
    """Return crons that are not due during the run."""
    at = datetime.now(UTC) + timedelta(minutes=40)
    return dict.fromkeys(OFTEN, f"{at.minute} {at.hour} * * *")


def _wait_for_rest(mongo: Database[dict[str, Any]], events: EventLog) -> list[str]:
    """Wait until every job and unit has ended, and every status shows it."""
    began = time.monotonic()
    try:
        wait_until("all jobs have ended", lambda: not _open(mongo), PyMongoError, _REST_SECONDS)
        events.note("at_rest", seconds=round(time.monotonic() - began, 1))
    except TimeoutError as error:
        return [f"{error}: {_open(mongo)}"]
    try:
        wait_until(
            "no status is pending",
            lambda: not mongo["sync_status"].count_documents({"status": _OPEN}),
            PyMongoError,
            _STATUS_SECONDS,
        )
    except TimeoutError:
        events.note("statuses_stuck")  # the checks name them
    return []


def _open(mongo: Database[dict[str, Any]]) -> dict[str, int]:
    """Return how much work is open; empty at rest.

    Unplanned jobs are open too, and so are runs of schedules that wait for an earlier one to end.
    """
    is_due = {"$or": [{name: {"$ne": None}} for name in ("run_request", "starting")]}
    counts = {
        "runs": mongo["schedules"].count_documents(is_due),
        "jobs": mongo["jobs"].count_documents({"open": True}),
        "units": mongo["units"].count_documents({"active": True}),
    }
    return {name: count for name, count in counts.items() if count}
