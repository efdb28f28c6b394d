"""Celery's workers and beats announce themselves to the fleet and serve their metrics."""

import atexit
from dataclasses import replace
from typing import Any

from celery import Celery, bootsteps
from celery.signals import after_task_publish, beat_init
from celery.worker import state

from pocketquant import metrics
from pocketquant.coordination.fleet import Fleet, Member, MemberKind
from pocketquant.messaging.queues import TICK
from pocketquant.presence.fleet_member import Presence, this_process
from pocketquant.presence.repeating import Loops
from pocketquant.settings import Settings


def join_fleet(app: Celery, fleet: Fleet, settings: Settings, loops: Loops) -> None:
    """Give each worker and beat of this application a `Presence`."""

    class FleetPresence(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def __init__(self, _worker: Any, **_: object) -> None:
            self._presence: Presence | None = None

        def start(self, worker: Any) -> None:
            metrics.BUSY_SLOTS.set_function(_busy)
            member = _worker_member(worker)
            self._presence = Presence(fleet, member, settings, loops, _with_busy)

        def stop(self, _worker: Any) -> None:
            if self._presence is not None:
                self._presence.end()

    def show_beat(sender: Any, **_: object) -> None:
        if sender.app is app:
            after_task_publish.connect(_count_tick, sender=TICK, weak=False)
            beat = this_process(MemberKind.BEAT, "beat")
            atexit.register(Presence(fleet, beat, settings, loops).end)

    app.steps["worker"].add(FleetPresence)
    beat_init.connect(show_beat, weak=False)


def _worker_member(worker: Any) -> Member:
    return replace(
        this_process(MemberKind.WORKER, worker.hostname),
        queues=tuple(worker.app.amqp.queues.consume_from),
        slots=worker.concurrency,
    )


def _with_busy(member: Member) -> Member:
    return replace(member, busy=_busy())


def _busy() -> int:
    return len(state.active_requests)


def _count_tick(**_: object) -> None:
    metrics.TICKS_PUBLISHED.inc()
