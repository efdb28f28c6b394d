"""`Dispatcher`: publishes messages, and counts those that wait."""

from collections.abc import Iterable
from typing import Any

from celery import Celery
from kombu.exceptions import BatchPublishError, OperationalError  # type: ignore[attr-defined]

from pocketquant.domain.batches import batched
from pocketquant.messaging.queues import PLAN_JOB, SYNC_UNIT, QueueName
from pocketquant.storage.units import Unit

_BATCH = 10_000  # messages in one write; some megabytes
_ONE_RETRY = {"max_retries": 1, "interval_start": 0}  # a pooled connection may be stale

LONG_QUEUE = 50_000  # messages, of a kilobyte each; further units wait in the ledger

Message = tuple[str, str, str]  # task, its one argument, queue


class Dispatcher:
    """Publishes units and plans for workers; kombu's OperationalError if the broker is away."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def publish(self, units: Iterable[Unit], queue: str | None = None) -> None:
        """Publish units, on `queue` or else each on its own queue; in batches."""
        messages = ((SYNC_UNIT, unit.id, queue or unit.queue) for unit in units)
        with self._app.producer_pool.acquire(block=True) as producer:
            for batch in batched(messages, _BATCH):
                self._send(producer, batch)

    def publish_plan(self, job_id: str) -> None:
        """Publish a job for planning, on the fastest queue, since users wait to see it begin."""
        with self._app.producer_pool.acquire(block=True) as producer:
            self._send(producer, [(PLAN_JOB, job_id, QueueName.INTERACTIVE)])

    def lengths(self) -> dict[QueueName, int]:
        """Return the number of messages that wait in each queue."""
        with self._app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            channel: Any = connection.channel()
            return {queue: self._length(channel, queue) for queue in QueueName}

    def has_room(self, queue: str) -> bool:
        """Whether the queue is short enough for more; the reconciler publishes the rest later."""
        return self.lengths()[QueueName(queue)] < LONG_QUEUE

    def _send(self, producer: Any, batch: list[Message]) -> None:
        if len(batch) > 1:
            try:
                for queue in {queue for _, _, queue in batch}:
                    producer.maybe_declare(self._app.amqp.queues[queue])
                with producer.batch(_BATCH):
                    for message in batch:  # declaring the queue each time would cost a quarter more
                        self._send_one(producer, message, retry=False, declare=[])
                return
            except (
                BatchPublishError,
                OperationalError,
            ):  # then one by one; publishing one twice does no harm
                pass
        for message in batch:
            self._send_one(producer, message, retry=True)

    def _send_one(self, producer: Any, message: Message, **options: Any) -> None:
        task, argument, queue = message
        self._app.send_task(
            task,
            args=[argument],
            argsrepr=argument,  # saves Celery the work
            kwargsrepr="",
            queue=queue,
            producer=producer,
            retry_policy=_ONE_RETRY,
            **options,
        )

    def _length(self, channel: Any, queue: QueueName) -> int:
        # An active declaration changes nothing; kombu's passive one omits the key prefix on Redis.
        declared: Any = self._app.amqp.queues[queue].bind(channel).queue_declare()
        return int(declared.message_count)
