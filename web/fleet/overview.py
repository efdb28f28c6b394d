"""The whole fleet at one glance: who is at work, what waits, at which pace, and what is away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pymongo

from pocketquant.cache.board_records import StreamerStatus
from pocketquant.coordination.fleet import Member, MemberKind
from pocketquant.coordination.governor import Pace
from pocketquant.domain.schedules import Schedule
from pocketquant.domain.shards import all_shards
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import server_now
from pocketquant.storage.backlog import Work
from pocketquant.wiring import Platform
from web.fleet.questions import PATIENCE_SECONDS, Asker, Reply, Server


@dataclass(frozen=True, slots=True)
class Overview:
    """What each server told; None for what one that is away would know: `problems` names it.

    `statuses` are those of the shards that have a streamer, by shard; `wished` is how many symbols
    are to be watched; `tick_problems` are the steps of ticks that fail. Schedules run by MongoDB's
    clock, which said `mongodb_at`.
    """

    seen_at: datetime
    members: Sequence[Member] | None
    pace: Pace | None
    messages: dict[QueueName, int] | None
    work: Work | None
    schedules: Sequence[Schedule] | None
    shards: Sequence[str]
    statuses: dict[str, StreamerStatus] | None
    wished: int | None
    problems: dict[Server, str]
    tick_problems: dict[str, str] | None
    mongodb_at: datetime | None

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
    def unattended(self) -> list[str] | None:
        """The shards that nobody streams although symbols are to be watched; None: unknown."""
        if self.statuses is None or self.wished is None:
            return None
        statuses = self.statuses
        return [shard for shard in self.shards if shard not in statuses] if self.wished else []

    @property
    def is_blind(self) -> bool:
        """Whether there is nothing to tell."""
        return {Server.MONGODB, Server.REDIS} <= self.problems.keys()

    def seconds_since_success(self, schedule: Schedule) -> float | None:
        """Since a run last ended well; None before the first."""
        if schedule.last_success_at is None:
            return None
        return max(0.0, self._schedule_time - schedule.last_success_at)

    def seconds_late(self, schedule: Schedule) -> float:
        """For how long a run has been due; a paused schedule is never late, nor one at work."""
        is_excused = schedule.paused or schedule.has_open_job
        return 0.0 if is_excused else max(0.0, self._schedule_time - schedule.next_run_at)

    @property
    def _schedule_time(self) -> float:
        return (self.mongodb_at or self.seen_at).timestamp()

    def _of_kind(self, kind: MemberKind) -> list[Member] | None:
        if self.members is None:
            return None
        return [member for member in self.members if member.kind is kind]


class Lookout:
    """Sees the fleet: eight questions at once, each with a few seconds to be answered."""

    def __init__(self, platform: Platform, now: Callable[[], datetime]) -> None:
        self._platform = platform
        self._now = now
        self._shards = [shard.name for shard in all_shards(platform.settings.streamer_shards)]
        self._asker = Asker()

    def look(self) -> Overview:
        """What holds right now."""
        platform, ask = self._platform, self._asker.ask
        asked_members = ask(Server.REDIS, platform.fleet.members)
        asked_pace = ask(Server.REDIS, platform.governor.pace)
        asked_messages = ask(Server.BROKER, platform.dispatcher.lengths)
        asked_work = ask(Server.MONGODB, self._work)
        asked_schedules = ask(Server.MONGODB, self._schedules)
        asked_statuses = ask(Server.REDIS, self._statuses)
        asked_wished = ask(Server.MONGODB, self._wished)
        asked_ticks = ask(Server.REDIS, platform.tick_problems.all)
        members, pace = asked_members.reply(), asked_pace.reply()
        messages, statuses = asked_messages.reply(), asked_statuses.reply()
        work, schedules = asked_work.reply(), asked_schedules.reply()
        wished, ticks = asked_wished.reply(), asked_ticks.reply()
        mongodb_at, scheduled = schedules.value or (None, None)
        return Overview(
            seen_at=self._now(),
            members=members.value,
            pace=pace.value,
            messages=messages.value,
            work=work.value,
            schedules=scheduled,
            shards=self._shards,
            statuses=statuses.value,
            wished=wished.value,
            problems=_problems(members, pace, messages, work, schedules, statuses, wished, ticks),
            tick_problems=ticks.value,
            mongodb_at=mongodb_at,
        )

    def _work(self) -> Work:
        with pymongo.timeout(PATIENCE_SECONDS):
            return self._platform.backlog.read()

    def _schedules(self) -> tuple[datetime, Sequence[Schedule]]:
        with pymongo.timeout(PATIENCE_SECONDS):
            return server_now(self._platform.mongo), self._platform.schedules.list()

    def _statuses(self) -> dict[str, StreamerStatus]:
        return {status.shard: status for status in self._platform.board.statuses()}

    def _wished(self) -> int:
        wishes = self._platform.subscriptions
        with pymongo.timeout(PATIENCE_SECONDS):
            return wishes.count() if wishes.is_on() else 0


def _problems(*replies: Reply[Any]) -> dict[Server, str]:
    return {reply.server: reply.problem for reply in replies if reply.problem is not None}
