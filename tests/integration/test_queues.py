"""The contract of the queues, on a real broker and a real worker."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
import structlog
from celery import Celery
from celery.contrib.testing.worker import start_worker

from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.messaging.headers import carry_log_context
from pocketquant.messaging.queues import SYNC_UNIT, QueueName, celery_app
from pocketquant.servers.connections import wait_until
from pocketquant.storage.units import Unit


@pytest.fixture
def app(cache: redis.Redis, redis_url: str) -> Iterator[Celery]:
    """A Celery application on an emptied broker."""
    made = celery_app(redis_url, {"worker_prefetch_multiplier": 1, "task_acks_late": True})
    yield made
    made.close()


@pytest.fixture
def make_unit() -> Callable[..., Unit]:
    """Makes queued units."""

    def make(unit_id: str, queue: str = QueueName.BULK) -> Unit:
        request = SyncRequest(Series.parse("NASDAQ:AAPL|1d"))
        return Unit(unit_id, request, queue, UnitState.QUEUED, datetime(2026, 11, 22, tzinfo=UTC))

    return make


def test_a_message_waits_in_its_units_queue_alone(
    app: Celery, cache: redis.Redis, make_unit: Callable[..., Unit]
) -> None:
    """One message is in the queue of the unit, or in the requested queue."""
    dispatcher = Dispatcher(app)
    assert list(dispatcher.lengths().values()) == [0, 0, 0, 0, 0]
    dispatcher.publish([make_unit("a"), make_unit("b")])
    assert list(dispatcher.lengths().values()) == [0, 2, 0, 0, 0]
    dispatcher.publish([make_unit("c")], QueueName.INTERACTIVE)
    lengths = [cache.llen(f"pocketquant:{name}") for name in QueueName]
    assert lengths == [1, 2, 0, 0, 0]


def test_publishing_goes_on_after_the_broker_was_wiped(
    app: Celery, cache: redis.Redis, make_unit: Callable[..., Unit]
) -> None:
    """A message reaches its queue without any binding left in the broker."""
    dispatcher = Dispatcher(app)
    dispatcher.publish([make_unit("a")])
    cache.flushall()
    dispatcher.publish([make_unit("b")])
    assert cache.llen("pocketquant:bulk") == 1


def test_a_broker_that_is_away_is_an_error_at_once(make_unit: Callable[..., Unit]) -> None:
    """Publishing raises kombu's OperationalError, and does not hang."""
    away = celery_app(f"redis://{HOST}:{reserve_port()}/0")
    with pytest.raises(Exception, match=r"(?i)refused") as failure:
        Dispatcher(away).publish([make_unit("a")])
    assert type(failure.value).__name__ == "OperationalError"
    away.close()


@pytest.mark.usefixtures("logs_left_alone")
def test_a_worker_takes_interactive_units_first_and_logs_in_their_context(
    app: Celery, make_unit: Callable[..., Unit]
) -> None:
    """Request and job ids reach the task, other bound values do not; none stay bound afterwards."""
    carry_log_context()
    seen: list[tuple[str, dict[str, Any]]] = []

    @app.task(name=SYNC_UNIT, shared=False)
    def sync_unit(unit_id: str) -> None:
        seen.append((unit_id, dict(structlog.contextvars.get_contextvars())))

    dispatcher = Dispatcher(app)
    with structlog.contextvars.bound_contextvars(request_id="r-1", job_id="j-1", secret="s"):
        dispatcher.publish([make_unit(f"bulk-{number}") for number in range(20)])
    dispatcher.publish([make_unit("now")], QueueName.INTERACTIVE)
    with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False):
        wait_until("all are done", lambda: len(seen) == 21, (), 60)
    assert "now" in [unit_id for unit_id, _ in seen[:3]]
    contexts = dict(seen)
    assert contexts["bulk-0"] == {"request_id": "r-1", "job_id": "j-1"}
    assert contexts["now"] == {}
