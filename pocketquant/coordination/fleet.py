"""Which processes are at work, wherever they run: each announces itself and is forgotten by itself.

    fleet:members          a set of ids
    fleet:member:{id}      what that process says of itself, for `_TTL_SECONDS`

Ages are judged by Redis' clock alone, so clocks that differ between machines do no harm. How far a
machine's clock is off is told all the same: what it stamps with its own time is wrong by as much.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import cast

import msgspec
import redis

ANNOUNCE_SECONDS = 5.0
MOST_SECONDS_OFF = 2.0  # of a clock that NTP keeps; more is shown as a problem

_TTL_SECONDS = 20
_INDEX = "fleet:members"


class MemberKind(StrEnum):
    """What a process is there for."""

    WORKER = "worker"
    BEAT = "beat"
    STREAMER = "streamer"


@dataclass(frozen=True, slots=True)
class Member:
    """A process as it last announced itself, `silent_seconds` ago.

    `busy` of a worker's `slots` work; a streamer without a `shard` stands by. `clock_ahead_seconds`
    is its host's clock minus Redis's; None where it was not measured.
    """

    id: str
    kind: MemberKind
    name: str
    host: str
    pid: int
    started_at: datetime
    version: str
    queues: tuple[str, ...] = ()
    slots: int = 0
    busy: int = 0
    metrics_url: str | None = None
    shard: str | None = None
    clock_ahead_seconds: float | None = None
    silent_seconds: float = 0.0


def clocks_off(members: Iterable[Member]) -> dict[str, float]:
    """The hosts whose clock is off by more than NTP leaves it, and how far it is ahead."""
    return {
        member.host: member.clock_ahead_seconds
        for member in members
        if member.clock_ahead_seconds is not None
        and abs(member.clock_ahead_seconds) > MOST_SECONDS_OFF
    }


def described_offset(ahead_seconds: float) -> str:
    """`172800.0 s ahead of Redis's`."""
    direction = "ahead of" if ahead_seconds > 0 else "behind"
    return f"{abs(ahead_seconds):.1f} s {direction} Redis's"


_decode = msgspec.json.Decoder(Member).decode


class Fleet:
    """The announcements in Redis; the driver's errors pass through."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def announce(self, member: Member) -> None:
        """Be known for the next 20 s."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(_key(member.id), msgspec.json.encode(member), ex=_TTL_SECONDS)
            pipeline.sadd(_INDEX, member.id)
            pipeline.execute()

    def clock_ahead_seconds(self, clock: Callable[[], float]) -> float:
        """How far `clock` is ahead of Redis's, to half of the time that asking takes."""
        before = clock()
        seconds, microseconds = self._redis.time()
        return (before + clock()) / 2 - (seconds + microseconds / 1e6)

    def withdraw(self, member_id: str) -> None:
        """Be forgotten at once."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(_key(member_id))
            pipeline.srem(_INDEX, member_id)
            pipeline.execute()

    def members(self) -> list[Member]:
        """All that announced themselves lately, by kind and name."""
        ids = sorted(each.decode() for each in cast(set[bytes], self._redis.smembers(_INDEX)))
        with self._redis.pipeline(transaction=False) as pipeline:
            for member_id in ids:
                pipeline.get(_key(member_id))
                pipeline.pttl(_key(member_id))
            found = pipeline.execute()
        announced = dict(zip(ids, zip(found[::2], found[1::2], strict=True), strict=True))
        self._forget(each for each, (said, _) in announced.items() if said is None)
        alive = [_read(said, left) for said, left in announced.values() if said is not None]
        return sorted(alive, key=lambda member: (member.kind, member.name, member.id))

    def _forget(self, silent: Iterable[str]) -> None:
        """One that announces itself in this very moment is back with its next announcement."""
        gone = list(silent)
        if gone:
            self._redis.srem(_INDEX, *gone)


def _read(said: bytes, left_milliseconds: int) -> Member:
    silent = _TTL_SECONDS - left_milliseconds / 1000
    return replace(_decode(said), silent_seconds=min(max(silent, 0.0), float(_TTL_SECONDS)))


def _key(member_id: str) -> str:
    return f"fleet:member:{member_id}"
