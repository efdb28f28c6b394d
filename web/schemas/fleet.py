"""The response of `GET /fleet`: processes, queues, pace, breaker and schedules."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from pydantic import BaseModel, Field

from pocketquant.coordination.fleet import Member, clocks_off, described_offset
from pocketquant.coordination.governor import BreakerState, Outcome, PaceSnapshot
from pocketquant.domain.dates import to_date
from pocketquant.domain.schedules import Schedule
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.backlog import Work
from web.fleet.snapshot import FleetSnapshot

_T = TypeVar("_T")
_R = TypeVar("_R")


class BeatOut(BaseModel):
    """A beat: the process that triggers schedules and the recovery of lost work."""

    name: str = Field(description="name of the process", examples=["beat"])
    host: str
    pid: int
    started_at: datetime
    last_seen: datetime = Field(description="when it last announced itself; it does so every 5 s")
    version: str
    metrics_url: str | None = Field(
        description="URL of its metrics; null: its port was taken",
        examples=["http://127.0.0.1:9101/metrics"],
    )
    clock_ahead_seconds: float | None = Field(
        description="clock of its host minus clock of Redis; null: not measured", examples=[0.012]
    )

    @classmethod
    def of(cls, member: Member, taken_at: datetime) -> Self:
        return cls(**_member_fields(member, taken_at))


class WorkerOut(BeatOut):
    """A worker: a process that runs tasks."""

    queues: list[str] = Field(
        description="the queues it reads, first one first", examples=[["interactive"]]
    )
    slots: int = Field(description="tasks it can run at the same time", examples=[16])
    busy: int = Field(description="slots that are running a task", examples=[3])

    @classmethod
    def of(cls, member: Member, taken_at: datetime) -> Self:
        return cls(
            **_member_fields(member, taken_at),
            queues=list(member.queues),
            slots=member.slots,
            busy=member.busy,
        )


class FleetStreamerOut(BeatOut):
    """A process that streams live quotes, or stands by to take over."""

    shard: str | None = Field(description="the part of the symbols it streams; null: it stands by")

    @classmethod
    def of(cls, member: Member, taken_at: datetime) -> Self:
        return cls(**_member_fields(member, taken_at), shard=member.shard)


class TotalsOut(BaseModel):
    """Sums over all workers."""

    workers: int = Field(description="number of workers")
    slots: int
    busy: int


class QueueOut(BaseModel):
    """A queue: its messages in the broker, and its units in MongoDB."""

    name: QueueName = Field(description="name of the queue")
    length: int | None = Field(description="messages waiting in the broker", examples=[12])
    waiting_units: int | None = Field(description="units that could start now", examples=[12])
    oldest_seconds: float | None = Field(
        description="how long the oldest of these units has waited; null: none waits"
    )

    @classmethod
    def of(cls, name: QueueName, lengths: dict[QueueName, int] | None, work: Work | None) -> Self:
        waiting = work.waiting.get(name) if work else None
        no_units = None if work is None else 0
        return cls(
            name=name,
            length=lengths[name] if lengths else None,
            waiting_units=waiting.units if waiting else no_units,
            oldest_seconds=waiting.oldest_seconds if waiting else None,
        )


class UnitsOut(BaseModel):
    """Open units that are not waiting in a queue."""

    deferred: int = Field(description="units put back until they are due", examples=[0])
    running: int = Field(description="units that a worker is running", examples=[16])


class PaceOut(BaseModel):
    """How fast the whole fleet may call the provider."""

    rate: float = Field(description="fetches that may start per second", examples=[200.0])
    ceiling_rate: float = Field(description="the most that PROVIDER_RATE allows", examples=[200.0])
    concurrency: int = Field(
        description="fetches that may be in progress at the same time", examples=[200]
    )
    ceiling_concurrency: int = Field(
        description="the most that PROVIDER_CONCURRENCY allows", examples=[200]
    )
    in_progress: int = Field(description="fetches in progress")
    last_lowered_at: datetime | None = Field(
        description="when the pace was last lowered; null: not lately"
    )

    @classmethod
    def of(cls, pace: PaceSnapshot) -> Self:
        return cls.model_validate(pace, from_attributes=True)


class BreakerOut(BaseModel):
    """The circuit breaker: whether the provider is called at all."""

    state: BreakerState = Field(
        description="`closed`: calls pass; `open`: no call passes; `half_open`: one call tests the"
        " provider"
    )
    consecutive_failures: int
    opened_at: datetime | None = Field(description="when it opened; null: it is closed")
    next_probe_at: datetime | None = Field(
        description="when one call tests the provider; null: it is closed"
    )
    last_reason: Outcome | None = Field(
        description="why the last failed call failed; null: none failed"
    )

    @classmethod
    def of(cls, pace: PaceSnapshot) -> Self:
        return cls(
            state=pace.breaker,
            consecutive_failures=pace.consecutive_failures,
            opened_at=to_date(pace.opened_at),
            next_probe_at=to_date(pace.next_probe_at),
            last_reason=pace.last_reason,
        )


class FleetScheduleOut(BaseModel):
    """When a schedule runs, and when it last succeeded."""

    name: str
    paused: bool
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_job_id: str | None
    last_success_at: datetime | None
    seconds_since_last_success: float | None

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
    """The state of the fleet; values are null if the server that holds them is away."""

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
        description="servers that are away, and why; shards without a streamer; steps of the tick"
        " and schedules that fail; hosts whose clock is wrong",
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


def _member_fields(member: Member, taken_at: datetime) -> dict[str, Any]:
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
