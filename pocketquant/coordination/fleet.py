"""`Fleet`: the processes at work on all machines. Each announces itself; announcements expire.

    fleet:members          a set of ids
    fleet:member:{id}      a `Member` as JSON, for `_TTL_SECONDS`

Ages follow Redis's clock alone, so differing clocks of machines do no harm here. Each member still
reports how far its host's clock is off, since every time it writes is wrong by as much.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import cast

import msgspec
import redis

ANNOUNCE_SECONDS = 5.0
MOST_SECONDS_OFF = 2.0  # NTP keeps clocks closer; a larger offset is shown as a problem

_TTL_SECONDS = 20
_INDEX = "fleet:members"


class MemberKind(StrEnum):
    """The task of a process."""

    WORKER = "worker"
    BEAT = "beat"
    STREAMER = "streamer"


@dataclass(frozen=True, slots=True)
class Member:
    """A process as it announced itself `silent_seconds` ago.

    A worker uses `busy` of its `slots`; a streamer without a `shard` stands by.
    `clock_ahead_seconds` is the host's clock minus Redis's clock; None if it was not measured.
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
    """Return the hosts whose clock is off by more than `MOST_SECONDS_OFF`, with seconds ahead."""
    return {
        member.host: member.clock_ahead_seconds
        for member in members
        if member.clock_ahead_seconds is not None
        and abs(member.clock_ahead_seconds) > MOST_SECONDS_OFF
    }


def described_offset(ahead_seconds: float) -> str:
    """Return a text such as `172800.0 s ahead of Redis's`."""
    direction = "ahead of" if ahead_seconds > 0 else "behind"
    return f"{abs(ahead_seconds):.1f} s {direction} Redis's"


_decode = msgspec.json.Decoder(Member).decode


class Fleet:
    """The announcements in Redis; the driver's errors pass through."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def announce(self, member: Member) -> None:
        """List the member for the next 20 s."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(_key(member.id), msgspec.json.encode(member), ex=_TTL_SECONDS)
            pipeline.sadd(_INDEX, member.id)
            pipeline.execute()

    def clock_ahead_seconds(self, clock: Callable[[], float]) -> float:
        """Return how far `clock` is ahead of Redis's, accurate to half of a round trip."""
        before = clock()
        seconds, microseconds = self._redis.time()
        return (before + clock()) / 2 - (seconds + microseconds / 1e6)

    def withdraw(self, member_id: str) -> None:
        """Remove the member at once."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(_key(member_id))
            pipeline.srem(_INDEX, member_id)
            pipeline.execute()

    def members(self) -> list[Member]:
        """Return all members that have not expired, in order of kind and name."""
        ids = sorted(each.decode() for each in cast(set[bytes], self._redis.smembers(_INDEX)))
        with self._redis.pipeline(transaction=False) as pipeline:
            for member_id in ids:
                pipeline.get(_key(member_id))
                pipeline.pttl(_key(member_id))
            found = pipeline.execute()
        announced = dict(zip(ids, zip(found[::2], found[1::2], strict=True), strict=True))
        self._forget(each for each, (text, _) in announced.items() if text is None)
        alive = [_read(text, left) for text, left in announced.values() if text is not None]
        return sorted(alive, key=lambda member: (member.kind, member.name, member.id))

    def _forget(self, silent: Iterable[str]) -> None:
        """Remove expired ids; a member that announces itself meanwhile soon does so again."""
        gone = list(silent)
        if gone:
            self._redis.srem(_INDEX, *gone)


def _read(text: bytes, left_milliseconds: int) -> Member:
    silent = _TTL_SECONDS - left_milliseconds / 1000
    return replace(_decode(text), silent_seconds=min(max(silent, 0.0), float(_TTL_SECONDS)))


def _key(member_id: str) -> str:
    return f"fleet:member:{member_id}"
