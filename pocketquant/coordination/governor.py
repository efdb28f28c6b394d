"""`Governor`: the pace of calls to the provider, one for all workers on all machines.

Kept in Redis and judged there, by the server's clock, in `governor.lua`: one round trip to enter,
one to leave. Who may begin is a matter of

    pace          so many calls a second, and a burst after a pause (GCRA)
    concurrency   so many in progress; a holder that crashed counts until its hold is over
    breaker       none while the provider is down, then one probe at a time

A call that was throttled halves rate and concurrency, and calls that end well raise both again,
evenly, up to the ceiling. The breaker is opened by calls in a row that found nobody there; an
answer ends the row, be it an error. Of places and burst an eighth, at least one of two or more, is
left to urgent calls. Those may still have to wait for turns that others have reserved, so calls
that are not urgent had better ask with a short `max_wait_seconds`.

It starts low and climbs, and what it has reached is remembered for 30 days, over restarts of all
workers, and of Redis where that keeps an append-only file. Nothing here must survive: on an emptied
Redis the pace starts low again.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import resources
from typing import TypeVar

import msgspec
import redis
import structlog

_KEYS = ["governor:state", "governor:holders"]

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class Outcome(StrEnum):
    """How a call to the provider ended."""

    OK = "ok"  # it answered, be it that it knows no such symbol
    THROTTLED = "throttled"  # 429, or a refused handshake
    FAULT = "fault"  # it answered with an error of its own: it is there, and earns no trust
    DOWN = "down"  # connection lost, time-out
    NEUTRAL = "neutral"  # given up by us: says nothing about the provider


class Reason(StrEnum):
    """Why a call may not begin yet."""

    PACE = "pace"
    CONCURRENCY = "concurrency"
    BREAKER = "breaker"


class BreakerState(StrEnum):
    """Whether calls pass: all, none, or a probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the operator allows, of all workers together; changing it counts at once."""

    rate: float  # calls that begin in a second
    burst: int  # calls that may begin at once after a pause
    concurrency: int  # calls in progress


@dataclass(frozen=True, slots=True)
class Start:
    """The pace before anything is known of the provider; at most the ceiling."""

    rate: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class Temper:
    """How quickly the governor loses and regains its trust in the provider."""

    failures_to_open: int = 10  # in a row, fleet-wide
    open_seconds: float = 5.0  # the first time; twice as long after each probe that fails
    longest_open_seconds: float = 60.0
    climb_seconds: float = 60.0  # of healthy traffic, from nothing to the ceiling
    lower_period_seconds: float = 1.0  # all who are throttled within it count once


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may begin.

    Admitted: begin after `wait_seconds`; the turn is reserved. Refused: nothing is reserved,
    ask again after about `wait_seconds`.
    """

    is_admitted: bool
    wait_seconds: float
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """What holds at the moment; moments are epoch seconds of the Redis server."""

    rate: float
    ceiling_rate: float
    concurrency: int
    ceiling_concurrency: int
    in_progress: int  # those included who wait for the turn they have reserved
    breaker: BreakerState
    consecutive_failures: int
    opened_at: float | None = None  # since when the breaker has not been closed
    next_probe_at: float | None = None
    last_lowered_at: float | None = None
    last_reason: Outcome | None = None  # how the last call that failed did


@dataclass(frozen=True, slots=True)
class _Change:
    """What one leave has changed: told to the one who left, so that one process logs it."""

    rate: float
    concurrency: int
    failures: int
    open_seconds: float | None = None
    is_lowered: bool = False
    is_opened: bool = False
    is_closed: bool = False


class Governor:
    """Lets calls begin and learns from their ends; the driver's errors pass through."""

    def __init__(
        self,
        cache: redis.Redis,
        ceiling: Ceiling,
        hold_seconds: float,
        temper: Temper = Temper(),
        start: Start | None = None,
    ) -> None:
        """`hold_seconds`: a holder that has not left so long after its turn no longer counts.

        Without a `start` it begins at the ceiling.
        """
        start = start or Start(ceiling.rate, ceiling.concurrency)
        begin = {"start_rate": start.rate, "start_concurrency": start.concurrency}
        rules = asdict(ceiling) | asdict(temper) | begin | {"hold_seconds": hold_seconds}
        self._rules = json.dumps(rules)
        script = resources.files(__package__).joinpath("governor.lua").read_text("utf-8")
        self._script = cache.register_script(script)

    def enter(self, holder: str, is_urgent: bool, max_wait_seconds: float) -> Admission:
        """Ask to begin a call within `max_wait_seconds`; who was admitted has to leave.

        `holder` names this one call: to ask again by the same name gives the same turn. While the
        breaker is open, the first to come when a probe is due is admitted as the probe.
        """
        return self._ask(Admission, "enter", holder, int(is_urgent), max_wait_seconds)

    def leave(self, holder: str, outcome: Outcome) -> None:
        """Free the place and count the outcome, also that of a holder which no longer counts."""
        change = self._ask(_Change, "leave", holder, outcome.value)
        if change.is_lowered:
            _log.warning("pace_lowered", rate=round(change.rate, 3), concurrency=change.concurrency)
        if change.is_opened:
            _log.warning("breaker_opened", failures=change.failures, seconds=change.open_seconds)
        if change.is_closed:
            _log.info("breaker_closed")

    def allowance(self, seconds: float) -> int:
        """How many calls that are not urgent may begin in the next so many seconds.

        An estimate: it takes the pace of this moment, and that calls go on to take as long as
        those that ended well lately.
        """
        return self._ask(int, "allowance", seconds)

    def pace(self) -> Pace:
        """What holds at the moment."""
        return self._ask(Pace, "pace")

    def _ask(self, answer: type[T], action: str, *args: str | float) -> T:
        told = self._script(_KEYS, [action, self._rules, *args])
        return msgspec.json.decode(told, type=answer)
