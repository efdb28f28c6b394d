"""A sync: its request, the provider's answer, its report, and the states of the work."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from pocketquant.domain.bars import Bars, Refusal
from pocketquant.domain.errors import BarsRefused, InvalidRequest
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series

MAX_BARS = 5000

_FIRST_DELAY_SECONDS = 5.0
MAX_DELAY_SECONDS = 900.0


class QueueName(StrEnum):
    """Queues of units, most urgent first; workers read them in this order."""

    INTERACTIVE = "interactive"
    BULK = "bulk"
    SCHEDULED = "scheduled"
    REPAIR = "repair"  # of live bars; not requested by users


class SyncState(StrEnum):
    """State of a series' sync."""

    PENDING = "pending"
    SYNCING = "syncing"
    COMPLETED = "completed"
    ERROR = "error"


class UnitState(StrEnum):
    """State of a unit of work. A deferred unit is queued with a later `not_before`."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """State of a job; completed when all units have finished, even if some failed."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """Bring one series up to date with its newest `n_bars` bars."""

    series: Series
    n_bars: int = MAX_BARS

    def __post_init__(self) -> None:
        if not 1 <= self.n_bars <= MAX_BARS:
            raise InvalidRequest(f"n_bars is {self.n_bars}; it must be from 1 to {MAX_BARS}")


@dataclass(frozen=True, slots=True)
class FormingBar:
    """The newest bar before its end: its values so far, times in epoch seconds."""

    time: int
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    as_of: int


@dataclass(frozen=True, slots=True)
class History:
    """The provider's answer to one request: closed bars, and the forming one.

    `reached_at` is the epoch second that the feed has reached: the provider's time less the delay.
    """

    closed: Bars
    forming: FormingBar | None = None
    refused: Counter[Refusal] = field(default_factory=Counter)
    listing: Listing | None = None
    reached_at: int = 0

    def known_until(self, interval: Interval) -> int | None:
        """The end of the time in which all bars are known; None without closed bars."""
        if self.closed.last_time is None:
            return None
        if self.forming is not None:
            return self.forming.time
        return max(self.closed.last_time + interval.seconds, interval.period_start(self.reached_at))

    @property
    def fetched(self) -> int:
        """How many bars the provider sent, including the forming and the refused ones."""
        return len(self.closed) + self.refused.total() + (self.forming is not None)

    def require_bars(self, series: Series) -> None:
        """Raise BarsRefused with reasons and counts if all closed bars were refused.

        Storing such an answer would make the series look as if it had no bars.
        """
        if self.refused.total() and not len(self.closed):
            reasons = ", ".join(f"{reason} {count}" for reason, count in self.refused.items())
            raise BarsRefused(
                f"TradingView sent {self.fetched} bars of {series}, and none of them could be"
                f" stored; refused: {reasons}"
            )


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The result of a finished sync. `bar_count` and the bar times are the stored series' own.

    `fetched` is the sum of `inserted`, `changed`, `unchanged`, the refused bars and `forming`,
    which is 1 if the newest bar had not closed, else 0.
    """

    series: Series
    fetched: int
    inserted: int
    changed: int
    unchanged: int
    refused: dict[str, int]
    bar_count: int
    first_bar_at: int | None
    last_bar_at: int | None
    forming: int = 0


def retry_delay_seconds(
    attempt: int, jitter: float, longest_seconds: float = MAX_DELAY_SECONDS
) -> float:
    """The delay after the `attempt`-th failure of a unit (from 1): from 5 s, doubling to 15 min.

    `jitter` in [0, 1) subtracts up to half of it, so that units that failed together are not
    retried together.
    """
    delay = min(_FIRST_DELAY_SECONDS * 2.0 ** (min(attempt, 32) - 1), longest_seconds)
    return delay * (1 - jitter / 2)
