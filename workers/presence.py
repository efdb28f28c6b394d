"""How workers and beats show themselves: in the fleet, and by a page with their metrics."""

import atexit
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import redis
import structlog
from celery import Celery, bootsteps
from celery.signals import after_task_publish, beat_init
from celery.worker import state

from pocketquant import metrics
from pocketquant.coordination.fleet import ANNOUNCE_SECONDS, Fleet, Member, MemberKind
from pocketquant.queues import TICK
from pocketquant.settings import Settings
from workers.metrics_page import open_metrics_page
from workers.repeating import Repeating

_log = structlog.get_logger(__name__)


def join_fleet(app: Celery, fleet: Fleet, settings: Settings) -> None:
    """Have each worker and beat of this application announce itself and serve its metrics."""

    class FleetPresence(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def __init__(self, _worker: Any, **_: object) -> None:
            self._presence: Presence | None = None

        def start(self, worker: Any) -> None:
            metrics.BUSY_SLOTS.set_function(_busy)
            self._presence = Presence(fleet, _worker_member(worker), settings, _busy)

        def stop(self, _worker: Any) -> None:
            if self._presence is not None:
                self._presence.end()

    def show_beat(sender: Any, **_: object) -> None:
        if sender.app is app:
            after_task_publish.connect(_count_tick, sender=TICK, weak=False)
            atexit.register(Presence(fleet, _member(MemberKind.BEAT, "beat"), settings).end)

    app.steps["worker"].add(FleetPresence)
    beat_init.connect(show_beat, weak=False)


class Presence:
    """This process in the fleet, from now until it ends; without Redis it keeps trying."""

    def __init__(
        self, fleet: Fleet, member: Member, settings: Settings, busy: Callable[[], int] = lambda: 0
    ) -> None:
        self._fleet = fleet
        self._page = open_metrics_page(settings.metrics_host, settings.metrics_port)
        self._member = replace(member, metrics_url=self._page.url if self._page else None)
        self._busy = busy
        self._is_lost = False
        self._announcing = Repeating("fleet-presence", ANNOUNCE_SECONDS, self._announce)
        self._announcing.begin()

    def end(self) -> None:
        """Leave the fleet; one that can't is forgotten by it in 20 s."""
        self._announcing.end()
        if not self._is_lost:
            try:
                self._fleet.withdraw(self._member.id)
            except redis.RedisError as error:
                _log.warning("fleet_not_left", cause=str(error))
        if self._page is not None:
            self._page.close()

    def _announce(self) -> None:
        try:
            self._fleet.announce(replace(self._member, busy=self._busy()))
        except redis.RedisError as error:
            if not self._is_lost:
                _log.warning("announcement_lost", cause=str(error))
            self._is_lost = True
            return
        if self._is_lost:
            _log.info("announced_again")
        self._is_lost = False


def _worker_member(worker: Any) -> Member:
    return replace(
        _member(MemberKind.WORKER, worker.hostname),
        queues=tuple(worker.app.amqp.queues.consume_from),
        slots=worker.concurrency,
    )


def _member(kind: MemberKind, name: str) -> Member:
    return Member(
        id=uuid4().hex,
        kind=kind,
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=datetime.now(UTC),  # noqa: TID251  # the edge that reads the clock
        version=version("pocketquant"),
    )


def _busy() -> int:
    return len(state.active_requests)


def _count_tick(**_: object) -> None:
    metrics.TICKS_PUBLISHED.inc()
