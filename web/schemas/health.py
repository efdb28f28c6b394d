"""Responses of the health checks."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, Field

from web.fleet.probing import Reply, Server


class Wellness(StrEnum):
    """`ok`; `degraded`: requests are served, but an operator should look; `down`."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class CheckOut(BaseModel):
    """The check of one server or one part of the fleet."""

    status: Wellness = Field(description="`ok`, `degraded` or `down`")
    reason: str | None = Field(
        description="what is wrong; null: nothing", examples=["does not answer"]
    )
    latency_ms: float = Field(
        description="how long the check took, in milliseconds", examples=[1.3]
    )

    @classmethod
    def of(cls, reply: Reply[None]) -> Self:
        status = Wellness.OK if reply.problem is None else Wellness.DOWN
        latency = round(reply.seconds * 1000, 1)
        return cls(status=status, reason=reply.problem, latency_ms=latency)


class ReadinessOut(BaseModel):
    """Checks of the servers, which requests need, and of the processes, which do the work."""

    status: Wellness = Field(description="the worst status of all checks", examples=["ok"])
    mongodb: CheckOut = Field(description="`down` unless its primary takes writes")
    redis: CheckOut
    broker: CheckOut
    workers: CheckOut = Field(description="`degraded` if no worker is alive")
    beat: CheckOut = Field(description="`degraded` if no beat is alive")
    streamers: CheckOut = Field(
        description="`degraded` if symbols are subscribed and a shard has no streamer"
    )
    schedules: CheckOut = Field(description="`degraded` if a run is minutes late")

    @classmethod
    def of(
        cls, servers: dict[Server, CheckOut], problems: dict[str, str | None], seconds: float
    ) -> Self:
        """Join the checks of the servers with the fleet's, whose snapshot took `seconds`."""
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
    """Whether requests can be served; if not, which server is missing."""

    status: str = Field(description="`ok` or `down`", examples=["ok"])
    mongodb: str = Field(description="`ok`, or what is wrong with it", examples=["ok"])
    redis: str = Field(description="`ok`, or what is wrong with it", examples=["ok"])
    broker: str = Field(description="`ok`, or what is wrong with it", examples=["ok"])


def _worst(checks: Iterable[CheckOut]) -> Wellness:
    found = {check.status for check in checks}
    return next(each for each in (Wellness.DOWN, Wellness.DEGRADED, Wellness.OK) if each in found)
