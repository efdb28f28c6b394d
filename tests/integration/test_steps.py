"""The steps of a tick: each fails alone, is shown, and is tried again."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import redis
from structlog.testing import capture_logs

from pocketquant.coordination.tick_problems import TickProblems
from pocketquant.domain.errors import InternalError, StorageUnavailable, UnknownSymbol
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest
from pocketquant.history.steps import Steps, each_apart
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.messaging.queues import QueueName
from pocketquant.wiring import Platform

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def raising(error: Exception) -> Callable[[], int]:
    def step() -> int:
        raise error

    return step


@pytest.fixture
def problems(cache: redis.Redis) -> TickProblems:
    """No step has failed yet."""
    return TickProblems(cache)


def test_a_step_that_fails_stops_no_other_and_is_shown(problems: TickProblems) -> None:
    """It is shown by name and reason until it succeeds; a defect's text is only in the log."""
    steps = Steps(problems)
    failing = {
        "first": raising(ZeroDivisionError("secret")),
        "second": raising(InternalError("why")),
    }
    with capture_logs() as lines:
        assert {"third": 3} == steps.run({**failing, "third": lambda: 3})
    assert {
        "first": "ZeroDivisionError; the log of the worker says more",
        "second": "why",
    } == problems.all()
    assert ["first", "second"] == [line["step"] for line in lines]
    assert {"first": 1, "third": 3} == steps.run({"first": lambda: 1, "third": lambda: 3})
    assert {"second": "why"} == problems.all()


def test_a_missing_server_is_raised_after_all_steps_were_tried(problems: TickProblems) -> None:
    """Then the tick counts as missed; the address of the server is not shown."""
    done: list[str] = []
    away = raising(StorageUnavailable("MongoDB does not answer: 10.0.0.1:27017"))
    with pytest.raises(StorageUnavailable):
        Steps(problems).run({"first": away, "second": lambda: done.append("second")})
    assert ["second"] == done
    assert {"first": "MongoDB does not answer"} == problems.all()


def test_without_redis_the_steps_still_run() -> None:
    """Without Redis only the display of problems is missing."""
    with redis.Redis(port=reserve_port()) as away:
        assert {"one": 1} == Steps(TickProblems(away)).run({"one": lambda: 1})


def test_problems_expire_without_ticks(problems: TickProblems, cache: redis.Redis) -> None:
    """Problems expire after two minutes without ticks; a missing beat is shown elsewhere."""
    problems.note({"first": "why"}, [])
    assert 60 < cache.ttl("tick:problems") <= 120


def test_an_item_that_fails_stops_no_other() -> None:
    """All items are tried, then the first failure is raised."""
    tried: list[int] = []

    def act(number: int) -> float:
        tried.append(number)
        return 1 / number

    assert [1.0, 0.5] == each_apart([1, 2], act)
    with pytest.raises(ZeroDivisionError):
        each_apart([1, 0, 2], act)
    assert [1, 2, 1, 0, 2] == tried


def test_a_round_without_a_broker_still_runs_the_other_steps(
    wired: Platform, wire_with: Callable[..., Platform]
) -> None:
    """No plan can be published, but a job that a crash left open is closed."""
    request = SyncRequest(Series.parse("A:A|1d"))
    submitted = wired.intake.submit(request, QueueName.BULK)
    unit = wired.ledger.claim(submitted.unit.id)
    assert unit
    wired.ledger.fail(unit, UnknownSymbol("no"))
    wired.intake.submit_large("bulk", [request], QueueName.BULK)
    as_before = {"$set": {"open": True, "created_at": LONG_AGO}, "$unset": {"finished_at": ""}}
    wired.mongo["jobs"].update_many({}, as_before)
    lonely = wire_with(celery_broker_url=f"redis://{HOST}:{reserve_port()}/0")
    with pytest.raises(StorageUnavailable):
        lonely.reconciler.run()
    assert "planned_jobs" in wired.tick_problems.all()
    assert wired.mongo["jobs"].count_documents({"_id": submitted.job_id, "open": True}) == 0
