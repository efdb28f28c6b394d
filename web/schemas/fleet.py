"""The fleet as an operator sees it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from pydantic import BaseModel, Field

from pocketquant.coordination.fleet import Member, clocks_off, described_offset
from pocketquant.coordination.governor import BreakerState, Outcome, Pace
from pocketquant.domain.dates import to_date
from pocketquant.domain.schedules import Schedule
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.backlog import Work
from web.fleet.snapshot import FleetSnapshot

_T = TypeVar("_T")
_R = TypeVar("_R")


class BeatOut(BaseModel):
    """A process that ticks."""

    name: str = Field(examples=["beat"])
    host: str
    pid: int
    started_at: datetime
    last_seen: datetime = Field(description="it announces itself every 5 s")
    version: str
    metrics_url: str | None = Field(
        description="null where its port was taken", examples=["http://127.0.0.1:9101/metrics"]
    )
    clock_ahead_seconds: float | None = Field(
        description="its host's clock minus Redis's; null: not measured", examples=[0.012]
    )

    @classmethod
    def of(cls, member: Member, taken_at: datetime) -> Self:
        return cls(**_who(member, taken_at))


class WorkerOut(BeatOut):
    """A process that does tasks."""

    queues: list[str] = Field(description="it reads, in this order", examples=[["interactive"]])
    slots: int = Field(description="tasks it does at a time", examples=[16])
    busy: int = Field(description="slots that do one", examples=[3])

    @classmethod
    def of(cls, member: Member, taken_at: datetime) -> Self:
        return cls(
            **_who(member, taken_at),
            queues=list(member.queues),
            slots=member.slots,
            busy=member.busy,
        )


class FleetStreamerOut(BeatOut):
    """A process that streams live quotes, or stands by to."""

    shard: str | None = Field(
        description="the part of the symbols that it streams; null: it stands by",
        examples=["1-of-1"],
    )

    @classmethod
    def of(cls, member: Member, taken_at: datetime) -> Self:
        return cls(**_who(member, taken_at), shard=member.shard)


class TotalsOut(BaseModel):
    """All workers together."""

    workers: int = Field(examples=[2])
    slots: int
    busy: int = Field(examples=[5])


class QueueOut(BaseModel):
    """What waits in one queue: messages in the broker, units in the ledger."""

    name: QueueName
    length: int | None = Field(description="messages that wait in the broker", examples=[12])
    waiting_units: int | None = Field(description="units that could begin", examples=[12])
    oldest_seconds: float | None = Field(
        description="how long the oldest of them has waited; null where none waits", examples=[1.5]
    )

    @classmethod
    def of(cls, name: QueueName, lengths: dict[QueueName, int] | None, work: Work | None) -> Self:
        waiting = work.waiting.get(name) if work else None
        none_known = None if work is None else 0
        return cls(
            name=name,
            length=lengths[name] if lengths else None,
            waiting_units=waiting.units if waiting else none_known,
            oldest_seconds=waiting.oldest_seconds if waiting else None,
        )


class UnitsOut(BaseModel):
    """Open units that do not wait in a queue."""

    deferred: int = Field(description="put back, not due yet", examples=[0])
    running: int = Field(description="held by a worker", examples=[16])


class PaceOut(BaseModel):
    """How quickly the provider may be asked, by the whole fleet."""

    rate: float = Field(description="fetches that may begin in a second", examples=[200.0])
    ceiling_rate: float = Field(description="what PROVIDER_RATE allows", examples=[200.0])
    concurrency: int = Field(description="fetches that may be in progress", examples=[200])
    ceiling_concurrency: int = Field(description="what PROVIDER_CONCURRENCY allows", examples=[200])
    in_progress: int = Field(examples=[16])
    last_lowered_at: datetime | None = Field(description="null: not lately", examples=[None])

    @classmethod
    def of(cls, pace: Pace) -> Self:
        return cls(
            rate=pace.rate,
            ceiling_rate=pace.ceiling_rate,
            concurrency=pace.concurrency,
            ceiling_concurrency=pace.ceiling_concurrency,
            in_progress=pace.in_progress,
            last_lowered_at=_moment(pace.last_lowered_at),
        )


class BreakerOut(BaseModel):
    """Whether the provider is asked at all."""

    state: BreakerState
    consecutive_failures: int
    opened_at: datetime | None = Field(description="null: it is closed", examples=[None])
    next_probe_at: datetime | None = Field(description="when it is tried again", examples=[None])
    last_reason: Outcome | None = Field(description="how the last failed fetch did")

    @classmethod
    def of(cls, pace: Pace) -> Self:
        return cls(
            state=pace.breaker,
            consecutive_failures=pace.consecutive_failures,
            opened_at=_moment(pace.opened_at),
            next_probe_at=_moment(pace.next_probe_at),
            last_reason=pace.last_reason,
        )


class FleetScheduleOut(BaseModel):
    """When a schedule runs, and how long ago it last did well."""

    name: str
    paused: bool
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_job_id: str | None
    last_success_at: datetime | None
    seconds_since_last_success: float | None = Field(
        description="null before the first", examples=[1800.0]
    )

    @classmethod
    def of(cls, schedule: Schedule, snapshot: FleetSnapshot) -> Self:
        return cls(
            name=schedule.name,
            paused=schedule.paused,
            next_run_at=None if schedule.paused else to_date(schedule.next_run_at),
            last_run_at=to_date(schedule.last_run_at),
            last_job_id=schedule.last_job_id,
            last_success_at=to_date(schedule.last_success_at),
            seconds_since_last_success=snapshot.seconds_since_success(schedule),
        )


class FleetOut(BaseModel):
    """Who is at work, what waits, at which pace; null is what a server that is away would know."""

    workers: list[WorkerOut] | None
    beats: list[BeatOut] | None
    streamers: list[FleetStreamerOut] | None
    totals: TotalsOut | None
    queues: list[QueueOut]
    units: UnitsOut | None
    pace: PaceOut | None
    breaker: BreakerOut | None
    schedules: list[FleetScheduleOut] | None
    problems: list[str] = Field(
        description="servers that are away, and why; shards that nobody streams; steps of ticks"
        " and schedules that fail; hosts whose clock is off",
        examples=[["redis: does not answer"]],
    )

    @classmethod
    def of(cls, snapshot: FleetSnapshot) -> Self:
        workers, beats, streamers = snapshot.workers, snapshot.beats, snapshot.streamers
        work, pace = snapshot.work, snapshot.pace
        schedules, taken_at = snapshot.schedules, snapshot.taken_at
        return cls(
            workers=_none_or(workers, lambda all_: [WorkerOut.of(one, taken_at) for one in all_]),
            beats=_none_or(beats, lambda all_: [BeatOut.of(one, taken_at) for one in all_]),
            streamers=_none_or(
                streamers, lambda all_: [FleetStreamerOut.of(one, taken_at) for one in all_]
            ),
            totals=_none_or(workers, _totals),
            queues=[QueueOut.of(name, snapshot.queue_lengths, work) for name in QueueName],
            units=_none_or(work, lambda it: UnitsOut(deferred=it.deferred, running=it.running)),
            pace=_none_or(pace, PaceOut.of),
            breaker=_none_or(pace, BreakerOut.of),
            schedules=_none_or(
                schedules, lambda all_: [FleetScheduleOut.of(one, snapshot) for one in all_]
            ),
            problems=[*_problems(snapshot)],
        )


def _who(member: Member, taken_at: datetime) -> dict[str, Any]:
    return {
        "name": member.name,
        "host": member.host,
        "pid": member.pid,
        "started_at": member.started_at,
        "last_seen": taken_at - timedelta(seconds=member.silent_seconds),
        "version": member.version,
        "metrics_url": member.metrics_url,
        "clock_ahead_seconds": member.clock_ahead_seconds,
    }


def _totals(workers: list[Member]) -> TotalsOut:
    return TotalsOut(
        workers=len(workers),
        slots=sum(worker.slots for worker in workers),
        busy=sum(worker.busy for worker in workers),
    )


def _problems(snapshot: FleetSnapshot) -> Iterator[str]:
    for server, reason in snapshot.server_problems.items():
        yield f"{server}: {reason}"
    for shard in snapshot.unattended_shards or ():
        yield f"shard {shard}: no streamer"
    for step, reason in (snapshot.tick_problems or {}).items():
        yield f"tick, {step}: {reason}"
    for host, seconds in clocks_off(snapshot.members or ()).items():
        yield f"host {host}: its clock is {described_offset(seconds)}; let NTP set it"


def _none_or(known: _T | None, shown: Callable[[_T], _R]) -> _R | None:
    return None if known is None else shown(known)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
