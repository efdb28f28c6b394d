"""How well the platform is."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, Field

from web.fleet.probing import Reply, Server


class Wellness(StrEnum):
    """`degraded`: requests are served, but an operator should look."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class CheckOut(BaseModel):
    """One thing the platform depends on."""

    status: Wellness
    reason: str | None = Field(
        description="what is wrong; null where nothing is", examples=["does not answer"]
    )
    latency_ms: float = Field(description="how long the answer took", examples=[1.3])

    @classmethod
    def of(cls, reply: Reply[None]) -> Self:
        status = Wellness.OK if reply.problem is None else Wellness.DOWN
        latency = round(reply.seconds * 1000, 1)
        return cls(status=status, reason=reply.problem, latency_ms=latency)


class ReadinessOut(BaseModel):
    """The servers, without which nothing goes; and the processes, without which work waits."""

    status: Wellness = Field(description="the worst of a server's, or `degraded`", examples=["ok"])
    mongodb: CheckOut = Field(description="its primary takes writes")
    redis: CheckOut
    broker: CheckOut
    workers: CheckOut = Field(description="`degraded` where none is at work")
    beat: CheckOut = Field(description="`degraded` where none ticks")
    streamers: CheckOut = Field(
        description="`degraded` where symbols are to be watched and a shard has no streamer"
    )
    schedules: CheckOut = Field(description="`degraded` where a run is minutes late")

    @classmethod
    def of(
        cls, servers: dict[Server, CheckOut], problems: dict[str, str | None], seconds: float
    ) -> Self:
        """Join the checks of servers and of the fleet, which took `seconds` to look at."""
        latency = round(seconds * 1000, 1)
        checks = servers | {
            name: CheckOut(
                status=Wellness.DEGRADED if reason else Wellness.OK,
                reason=reason,
                latency_ms=latency,
            )
            for name, reason in problems.items()
        }
        return cls(status=_worst(checks.values()), **checks)


class LivenessOut(BaseModel):
    """Whether this process works."""

    status: Wellness = Field(
        description="`down` while one of its background threads has failed for 30 s",
        examples=["ok"],
    )


class HealthOut(BaseModel):
    """Whether requests can be served, and what is missing where they cannot."""

    status: str = Field(description="`ok` or `down`", examples=["ok"])
    mongodb: str = Field(description="`ok`, or what is wrong", examples=["ok"])
    redis: str = Field(description="`ok`, or what is wrong", examples=["ok"])
    broker: str = Field(description="`ok`, or what is wrong", examples=["ok"])


def _worst(checks: Iterable[CheckOut]) -> Wellness:
    found = {check.status for check in checks}
    return next(each for each in (Wellness.DOWN, Wellness.DEGRADED, Wellness.OK) if each in found)
