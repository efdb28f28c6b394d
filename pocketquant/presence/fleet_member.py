"""`Presence`: a process without an API announces itself to the fleet and serves its metrics."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import uuid4

import redis
import structlog

from pocketquant.coordination.fleet import ANNOUNCE_SECONDS, Fleet, Member, MemberKind
from pocketquant.presence.metrics_page import open_metrics_page
from pocketquant.presence.repeating import Loops
from pocketquant.settings import Settings

_log = structlog.get_logger(__name__)


class Presence:
    """Announces this process from now until `end`; without Redis it keeps trying.

    `updated` returns the member with its current values, for each announcement.
    """

    def __init__(
        self,
        fleet: Fleet,
        member: Member,
        settings: Settings,
        loops: Loops,
        updated: Callable[[Member], Member] = lambda member: member,
    ) -> None:
        self._fleet = fleet
        self._page = open_metrics_page(settings.metrics_host, settings.metrics_port)
        self._member = replace(member, metrics_url=self._page.url if self._page else None)
        self._updated = updated
        self._is_lost = False
        self._announcing = loops.begin(
            "fleet-presence", lambda _: self._announce(), ANNOUNCE_SECONDS
        )

    def end(self) -> None:
        """Leave the fleet. Without Redis the entry expires after 20 s."""
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
            ahead = round(self._fleet.clock_ahead_seconds(time.time), 3)
            self._fleet.announce(replace(self._updated(self._member), clock_ahead_seconds=ahead))
        except redis.RedisError as error:
            if not self._is_lost:
                _log.warning("announcement_lost", cause=str(error))
            self._is_lost = True
            return
        if self._is_lost:
            _log.info("announced_again")
        self._is_lost = False


def streamer_presence(
    fleet: Fleet, settings: Settings, loops: Loops, shard: Callable[[], str | None]
) -> Presence:
    """The presence of a streamer; `shard` returns its current shard, if any."""
    name = f"streamer-{os.getpid()}@{socket.gethostname()}"
    member = this_process(MemberKind.STREAMER, name)
    return Presence(fleet, member, settings, loops, lambda member: replace(member, shard=shard()))


def this_process(kind: MemberKind, name: str) -> Member:
    """This process as a member of the fleet."""
    return Member(
        id=uuid4().hex,
        kind=kind,
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=datetime.now(UTC),  # noqa: TID251  # the edge that reads the clock
        version=version("pocketquant"),
    )
