"""`Dispatcher`: publishes messages, and says how many wait."""

from collections.abc import Iterable
from typing import Any

from celery import Celery
from kombu.exceptions import BatchPublishError, OperationalError  # type: ignore[attr-defined]

from pocketquant.domain.batches import batched
from pocketquant.messaging.queues import PLAN_JOB, SYNC_UNIT, QueueName
from pocketquant.storage.units import Unit

_BATCH = 10_000  # messages sent at once; some megabytes
_ONE_MORE_TRY = {"max_retries": 1, "interval_start": 0}  # a pooled connection may have gone stale

LONG_QUEUE = 50_000  # messages, of a kilobyte each; what exceeds it waits in the ledger

Message = tuple[str, str, str]  # task, its one argument, queue


class Dispatcher:
    """Tells workers what is due; a broker that is away raises kombu's OperationalError at once."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def publish(self, units: Iterable[Unit], queue: str | None = None) -> None:
        """Units are due, on `queue` or each on its own; published in batches."""
        messages = ((SYNC_UNIT, unit.id, queue or unit.queue) for unit in units)
        with self._app.producer_pool.acquire(block=True) as producer:
            for batch in batched(messages, _BATCH):
                self._send(producer, batch)

    def publish_plan(self, job_id: str) -> None:
        """A job is to be planned; on the quickest queue, for somebody waits to see it begin."""
        with self._app.producer_pool.acquire(block=True) as producer:
            self._send(producer, [(PLAN_JOB, job_id, QueueName.INTERACTIVE)])

    def lengths(self) -> dict[QueueName, int]:
        """How many messages wait in each queue."""
        with self._app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            channel: Any = connection.channel()
            return {queue: self._length(channel, queue) for queue in QueueName}

    def has_room(self, queue: str) -> bool:
        """Whether the queue may grow; the reconciler publishes later what was not published."""
        return self.lengths()[QueueName(queue)] < LONG_QUEUE

    def _send(self, producer: Any, batch: list[Message]) -> None:
        if len(batch) > 1:
            try:
                for queue in {queue for _, _, queue in batch}:
                    producer.maybe_declare(self._app.amqp.queues[queue])
                with producer.batch(_BATCH):
                    for message in batch:  # not declared again: that costs a quarter of it all
                        self._send_one(producer, message, retry=False, declare=[])
                return
            except (BatchPublishError, OperationalError):  # one by one; a doubled one does no harm
                pass
        for message in batch:
            self._send_one(producer, message, retry=True)

    def _send_one(self, producer: Any, message: Message, **options: Any) -> None:
        task, argument, queue = message
        self._app.send_task(
            task,
            args=[argument],
            argsrepr=argument,  # Celery would work it out at some cost
            kwargsrepr="",
            queue=queue,
            producer=producer,
            retry_policy=_ONE_MORE_TRY,
            **options,
        )

    def _length(self, channel: Any, queue: QueueName) -> int:
        # Declared again as it is: kombu's passive question forgets the key prefix on Redis.
        declared: Any = self._app.amqp.queues[queue].bind(channel).queue_declare()
        return int(declared.message_count)
