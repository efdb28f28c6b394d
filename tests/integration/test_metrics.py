"""How long messages wait, as a real worker measures it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.signals import before_task_publish

from pocketquant.messaging.headers import ENQUEUED_AT_HEADER, measure_queue_waits
from pocketquant.messaging.queues import TICK, QueueName, celery_app
from pocketquant.metrics import QUEUE_WAIT_SECONDS
from pocketquant.servers.connections import wait_until

_HOUR = 3600.0


@pytest.fixture
def app(cache: redis.Redis, redis_url: str) -> Iterator[Celery]:
    """A Celery application on an emptied broker, with a task that does nothing."""
    made = celery_app(redis_url)
    measure_queue_waits()

    @made.task(name=TICK, shared=False)
    def tick() -> None:
        """Nothing to do."""

    yield made
    made.close()


@pytest.fixture
def publish_at(app: Celery) -> Iterator[Callable[[QueueName, float], None]]:
    """Publishes a message as a machine with a clock that is some seconds off."""
    off = {"seconds": 0.0}

    def shift(headers: dict[str, Any], **_: object) -> None:
        headers[ENQUEUED_AT_HEADER] += off["seconds"]

    def publish(queue: QueueName, seconds: float) -> None:
        off["seconds"] = seconds
        app.send_task(TICK, queue=queue)

    before_task_publish.connect(shift)
    yield publish
    before_task_publish.disconnect(shift)


@pytest.mark.usefixtures("logs_left_alone")
def test_a_message_has_its_queue_and_its_wait_measured(
    app: Celery, publish_at: Callable[[QueueName, float], None]
) -> None:
    """The wait follows both machines' clocks; if the publisher's is ahead, it is zero."""
    bulk, scheduled = QueueName.BULK, QueueName.SCHEDULED
    before = {queue: _waits(queue) for queue in QueueName}
    began = time.time()
    publish_at(bulk, -_HOUR)
    publish_at(scheduled, _HOUR)

    def have_waited() -> bool:
        return all(_waits(queue)[0] > before[queue][0] for queue in (bulk, scheduled))

    with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False):
        wait_until("both are done", have_waited, (), 60)
    longest = _HOUR + time.time() - began
    assert _HOUR <= _waits(bulk)[1] - before[bulk][1] <= longest
    assert before[scheduled][1] == _waits(scheduled)[1]
    assert before[QueueName.INTERACTIVE] == _waits(QueueName.INTERACTIVE)


def _waits(queue: QueueName) -> tuple[float, float]:
    """Return how many messages of the queue have waited, and their seconds in total."""
    samples = {
        sample.name.rpartition("_")[2]: sample.value
        for family in QUEUE_WAIT_SECONDS.collect()
        for sample in family.samples
        if sample.labels == {"queue": queue}
    }
    return samples.get("count", 0.0), samples.get("sum", 0.0)
