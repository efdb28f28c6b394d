"""`Governor`: limits the calls to the provider, of all workers on all machines together.

Its state is in Redis and `governor.lua` decides there, by the server's clock: one round trip to
enter, one to leave. Three limits decide whether a call may begin:

    pace          a rate of calls a second, and a burst after a pause (GCRA)
    concurrency   a number of calls in progress; a crashed holder counts until its hold expires
    breaker       no call while the provider is down, then one probe at a time

A throttled call halves rate and concurrency; successful calls raise both evenly, up to the ceiling.
Consecutive calls that reach nobody open the breaker; any answer, even an error, ends the series.
An eighth of concurrency and burst, at least one of two or more, is reserved for urgent calls. An
urgent call may still wait for turns that other calls have reserved, so other calls should enter
with a short `max_wait_seconds`.

The pace starts low and climbs. Redis remembers it for 30 days, so it survives restarts of all
workers, and of Redis if that has an append-only file. On an emptied Redis it starts low again.
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

    OK = "ok"  # it answered, even if it knows no such symbol
    THROTTLED = "throttled"  # 429, or a refused handshake
    FAULT = "fault"  # it answered with an error of its own: it is up, but rates do not rise
    DOWN = "down"  # connection lost, time-out
    NEUTRAL = "neutral"  # given up by us: no evidence about the provider


class Reason(StrEnum):
    """Why a call may not begin yet."""

    PACE = "pace"
    CONCURRENCY = "concurrency"
    BREAKER = "breaker"


class BreakerState(StrEnum):
    """Which calls may begin: all (closed), none (open), or one probe (half open)."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The operator's limits for all workers together; a change takes effect at once."""

    rate: float  # calls that begin per second
    burst: int  # calls that may begin at once after a pause
    concurrency: int  # calls in progress


@dataclass(frozen=True, slots=True)
class Start:
    """The first pace, without any experience of the provider; at most the ceiling."""

    rate: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class Temper:
    """How quickly the pace falls and rises, and how long the breaker stays open."""

    failures_to_open: int = 10  # consecutive, of all workers
    open_seconds: float = 5.0  # the first time; twice as long after each probe that fails
    longest_open_seconds: float = 60.0
    climb_seconds: float = 60.0  # of successful calls, from zero to the ceiling
    lower_period_seconds: float = 1.0  # all throttled calls within it lower the pace once


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may begin.

    If admitted, the call has a reserved turn and begins after `wait_seconds`. If not, no turn is
    reserved; enter again after about `wait_seconds`.
    """

    is_admitted: bool
    wait_seconds: float
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class PaceSnapshot:
    """The current limits and their use; times are epoch seconds of the Redis server."""

    rate: float
    ceiling_rate: float
    concurrency: int
    ceiling_concurrency: int
    in_progress: int  # including calls that wait for their reserved turn
    breaker: BreakerState
    consecutive_failures: int
    opened_at: float | None = None  # when the breaker was last opened; None while closed
    next_probe_at: float | None = None
    last_lowered_at: float | None = None
    last_reason: Outcome | None = None  # the outcome of the last failed call


@dataclass(frozen=True, slots=True)
class _Change:
    """A change caused by one `leave`; only the process that left logs it."""

    rate: float
    concurrency: int
    failures: int
    open_seconds: float | None = None
    is_lowered: bool = False
    is_opened: bool = False
    is_closed: bool = False


class Governor:
    """Admits calls, and adapts to their outcomes; the driver's errors pass through."""

    def __init__(
        self,
        cache: redis.Redis,
        ceiling: Ceiling,
        hold_seconds: float,
        temper: Temper = Temper(),
        start: Start | None = None,
    ) -> None:
        """Limit calls by `ceiling`; without a `start`, begin at the ceiling.

        A holder that has not left `hold_seconds` after its turn no longer counts.
        """
        start = start or Start(ceiling.rate, ceiling.concurrency)
        begin = {"start_rate": start.rate, "start_concurrency": start.concurrency}
        rules = asdict(ceiling) | asdict(temper) | begin | {"hold_seconds": hold_seconds}
        self._rules = json.dumps(rules)
        script = resources.files(__package__).joinpath("governor.lua").read_text("utf-8")
        self._script = cache.register_script(script)

    def enter(self, holder: str, is_urgent: bool, max_wait_seconds: float) -> Admission:
        """Ask to begin a call within `max_wait_seconds`; an admitted call has to `leave`.

        `holder` names this one call: entering again under the same name returns the same turn.
        While the breaker is open, the first call to enter when a probe is due becomes the probe.
        """
        return self._call(Admission, "enter", holder, int(is_urgent), max_wait_seconds)

    def leave(self, holder: str, outcome: Outcome) -> None:
        """Free the holder's slot, if it has not expired, and learn from the outcome in any case."""
        change = self._call(_Change, "leave", holder, outcome.value)
        if change.is_lowered:
            _log.warning("pace_lowered", rate=round(change.rate, 3), concurrency=change.concurrency)
        if change.is_opened:
            _log.warning("breaker_opened", failures=change.failures, seconds=change.open_seconds)
        if change.is_closed:
            _log.info("breaker_closed")

    def allowance(self, seconds: float) -> int:
        """Estimate how many calls that are not urgent may begin within the next `seconds`.

        The estimate assumes the present pace, and calls as long as recent successful ones.
        """
        return self._call(int, "allowance", seconds)

    def pace(self) -> PaceSnapshot:
        """Return the current limits and their use."""
        return self._call(PaceSnapshot, "pace")

    def _call(self, result: type[T], action: str, *args: str | float) -> T:
        text = self._script(_KEYS, [action, self._rules, *args])
        return msgspec.json.decode(text, type=result)
