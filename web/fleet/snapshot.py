"""`FleetProbe` takes a `FleetSnapshot`: the state of processes, queues, pace and schedules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pymongo

from pocketquant.cache.board import QuoteBoard
from pocketquant.cache.board_records import StreamerStatus
from pocketquant.coordination.fleet import Fleet, Member, MemberKind
from pocketquant.coordination.governor import Governor, PaceSnapshot
from pocketquant.coordination.tick_problems import TickProblems
from pocketquant.domain.dates import to_date
from pocketquant.domain.schedules import Schedule
from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import Mongo, server_now
from pocketquant.storage.backlog import Backlog, Work
from pocketquant.storage.calendars import CalendarStore
from pocketquant.storage.schedules import Schedules
from pocketquant.storage.subscriptions import Subscriptions
from web.fleet.probing import TIMEOUT_SECONDS, Reply, Server, ServerCalls
from web.fleet.series_counts import SeriesCounts, SeriesInTrouble


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """The fleet at one moment; a value is None where its server failed (`server_problems`)."""

    taken_at: datetime
    members: Sequence[Member] | None
    pace: PaceSnapshot | None
    queue_lengths: dict[QueueName, int] | None
    work: Work | None
    schedules: Sequence[Schedule] | None
    shards: Sequence[str]
    streamer_statuses: dict[str, StreamerStatus] | None  # by shard; idle shards have none
    subscribed: int | None  # symbols to stream; 0 while streaming is stopped
    tick_problems: dict[str, str] | None  # reasons, by the step that fails
    wrong_calendars: int | None  # that can't be read, or did not predict a bar
    in_trouble: SeriesInTrouble | None
    mongodb_time: datetime | None  # schedules run by this clock
    server_problems: dict[Server, str]

    @property
    def workers(self) -> list[Member] | None:
        return self._of_kind(MemberKind.WORKER)

    @property
    def beats(self) -> list[Member] | None:
        return self._of_kind(MemberKind.BEAT)

    @property
    def streamers(self) -> list[Member] | None:
        return self._of_kind(MemberKind.STREAMER)

    @property
    def unattended_shards(self) -> list[str] | None:
        """Shards without a streamer, while symbols are to be streamed; None: unknown."""
        statuses = self.streamer_statuses
        if statuses is None or self.subscribed is None:
            return None
        return [shard for shard in self.shards if shard not in statuses] if self.subscribed else []

    @property
    def is_empty(self) -> bool:
        """Whether neither MongoDB nor Redis answered, so that almost every value is missing."""
        return {Server.MONGODB, Server.REDIS} <= self.server_problems.keys()

    def seconds_since_success(self, schedule: Schedule) -> float | None:
        """Time since a run last succeeded; None before the first success."""
        if schedule.last_success_at is None:
            return None
        return max(0.0, self._schedule_time - schedule.last_success_at)

    def seconds_late(self, schedule: Schedule) -> float:
        """How long a run has been due; 0 while the schedule is paused or its last job is open."""
        is_excused = schedule.paused or schedule.has_open_job
        return 0.0 if is_excused else max(0.0, self._schedule_time - schedule.next_run_at)

    @property
    def _schedule_time(self) -> float:
        return (self.mongodb_time or self.taken_at).timestamp()

    def _of_kind(self, kind: MemberKind) -> list[Member] | None:
        if self.members is None:
            return None
        return [member for member in self.members if member.kind is kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetProbe:
    """Takes snapshots of the fleet by calling all servers at the same time."""

    mongo: Mongo
    backlog: Backlog
    schedules: Schedules
    subscriptions: Subscriptions
    calendars: CalendarStore
    series_counts: SeriesCounts
    fleet: Fleet
    governor: Governor
    board: QuoteBoard
    tick_problems: TickProblems
    dispatcher: Dispatcher
    shards: Sequence[str]
    clock: Callable[[], float]
    _calls: ServerCalls = field(default_factory=ServerCalls, init=False)

    def take_snapshot(self) -> FleetSnapshot:
        """Return the fleet as it is now, within seconds even where a server hangs."""
        start = self._calls.start
        pending_members = start(Server.REDIS, self.fleet.members)
        pending_pace = start(Server.REDIS, self.governor.pace)
        pending_lengths = start(Server.BROKER, self.dispatcher.lengths)
        pending_work = start(Server.MONGODB, self._read_work)
        pending_schedules = start(Server.MONGODB, self._read_schedules)
        pending_statuses = start(Server.REDIS, self._read_streamer_statuses)
        pending_subscribed = start(Server.MONGODB, self._count_subscribed)
        pending_calendars = start(Server.MONGODB, self._count_wrong_calendars)
        pending_troubles = start(Server.MONGODB, self._count_series)
        pending_ticks = start(Server.REDIS, self.tick_problems.all)
        members, pace = pending_members.wait(), pending_pace.wait()
        lengths, work = pending_lengths.wait(), pending_work.wait()
        schedules, statuses = pending_schedules.wait(), pending_statuses.wait()
        subscribed, ticks = pending_subscribed.wait(), pending_ticks.wait()
        calendars, troubles = pending_calendars.wait(), pending_troubles.wait()
        mongodb_time, scheduled = schedules.value or (None, None)
        of_mongodb = (work, schedules, subscribed, calendars, troubles)
        of_redis = (members, pace, lengths, statuses, ticks)
        return FleetSnapshot(
            taken_at=to_date(self.clock()),
            members=members.value,
            pace=pace.value,
            queue_lengths=lengths.value,
            work=work.value,
            schedules=scheduled,
            shards=self.shards,
            streamer_statuses=statuses.value,
            subscribed=subscribed.value,
            tick_problems=ticks.value,
            wrong_calendars=calendars.value,
            in_trouble=troubles.value,
            mongodb_time=mongodb_time,
            server_problems=_problems(*of_mongodb, *of_redis),
        )

    def _count_wrong_calendars(self) -> int:
        with pymongo.timeout(TIMEOUT_SECONDS):
            return self.calendars.count_wrong()

    def _count_series(self) -> SeriesInTrouble:
        with pymongo.timeout(TIMEOUT_SECONDS):
            return self.series_counts.read()

    def _read_work(self) -> Work:
        with pymongo.timeout(TIMEOUT_SECONDS):
            return self.backlog.read()

    def _read_schedules(self) -> tuple[datetime, Sequence[Schedule]]:
        with pymongo.timeout(TIMEOUT_SECONDS):
            return server_now(self.mongo), self.schedules.list()

    def _read_streamer_statuses(self) -> dict[str, StreamerStatus]:
        return {status.shard: status for status in self.board.statuses()}

    def _count_subscribed(self) -> int:
        with pymongo.timeout(TIMEOUT_SECONDS):
            return self.subscriptions.count() if self.subscriptions.is_on() else 0


def _problems(*replies: Reply[Any]) -> dict[Server, str]:
    return {reply.server: reply.problem for reply in replies if reply.problem is not None}
