"""A sync: its request, the provider's answer, its report, and the states of the work."""

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pocketquant.domain.bars import Bars, Refusal
from pocketquant.domain.errors import BarsRefused, InvalidRequest
from pocketquant.domain.listings import Listing
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Series

MAX_BARS = 5000
EARLIEST_START = -2_208_988_800  # 1900-01-01T00:00:00Z

_FIRST_DELAY_SECONDS = 5.0
MAX_DELAY_SECONDS = 900.0


class QueueName(StrEnum):
    """Queues of units, most urgent first; workers read them in this order."""

    INTERACTIVE = "interactive"
    BULK = "bulk"
    SCHEDULED = "scheduled"
    REPAIR = "repair"  # of live bars; not requested by users
    BACKFILL = "backfill"  # long ranges, which give way to all other work


class SyncState(StrEnum):
    """State of a series' sync."""

    PENDING = "pending"
    SYNCING = "syncing"
    COMPLETED = "completed"
    ERROR = "error"


class UnitState(StrEnum):
    """State of a unit of work. A deferred unit is queued with a later `not_before`."""

    PAUSED = "paused"  # until a user resumes its job
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """State of a job; completed when all units have finished, even if some failed."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Stop(StrEnum):
    """Why a sync with a `start` went no further back."""

    REACHED = "reached"  # the start
    END = "end"  # the provider has no older bars
    LIMIT = "limit"  # the account's plan allows no older bars
    NO_PROGRESS = "no_progress"  # twice, the provider sent no older bars and gave no reason


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """Bring one series up to date with its newest `n_bars` bars.

    With a `start`, all bars from there on are wanted instead: to the newest one, or to those that
    open before `end`. If `is_missing_only`, those that were fetched before and are stored are left
    out; else they are fetched again, which brings the provider's corrections.
    """

    series: Series
    n_bars: int = MAX_BARS
    start: int | None = None
    end: int | None = None
    is_missing_only: bool = False

    def __post_init__(self) -> None:
        self.series.require_bars()
        if not 1 <= self.n_bars <= MAX_BARS:
            raise InvalidRequest(f"n_bars is {self.n_bars}; it must be from 1 to {MAX_BARS}")
        if self.start is not None and self.start < EARLIEST_START:
            raise InvalidRequest("start lies before 1900")
        if self.end is not None and (self.start is None or self.start >= self.end):
            raise InvalidRequest("end needs a start that lies before it")


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
class Page:
    """One answer of the provider to a request with a `start`; the pages go from new to old.

    `stop` is set with the last page. A page that `is_newest` begins with the newest bar of the
    market. `begins_at` is when the provider's history begins, if it says so. `report` is what
    the symbol's quote has reported by then.
    """

    history: History
    stop: Stop | None = None
    is_newest: bool = False
    begins_at: int | None = None
    report: Report = field(default_factory=Report)


@dataclass(frozen=True, slots=True)
class RangeProgress:
    """The counts of a range's stored pages, taken together; `end` is that of the range.

    All bars from `oldest` to `newest` are stored. Another attempt goes on from there. The stretch
    that begins at `passed_to`, if any, was fetched before; its bars are not counted.
    """

    end: int | None = None
    oldest: int | None = None
    fetched: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    forming: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    stop: Stop | None = None
    begins_at: int | None = None
    newest: int | None = None
    passed_to: int | None = None

    def back_to(self, time: int | None) -> "RangeProgress":
        """Return the progress that has come to this time too."""
        times = (each for each in (self.oldest, time) if each is not None)
        return replace(self, oldest=min(times, default=None))

    def plus(self, page: Page, inserted: int, changed: int, unchanged: int) -> "RangeProgress":
        """Return the progress after this page was stored with these changes."""
        history = page.history
        newest = history.closed.last_time if self.newest is None else self.newest
        refused = Counter(self.refused) + Counter(
            {str(why): n for why, n in history.refused.items()}
        )
        return replace(
            self.back_to(history.closed.first_time),
            newest=newest,
            fetched=self.fetched + history.fetched,
            inserted=self.inserted + inserted,
            changed=self.changed + changed,
            unchanged=self.unchanged + unchanged,
            forming=self.forming + (history.forming is not None),
            refused=dict(refused),
            stop=page.stop,
            begins_at=page.begins_at,
        )


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The result of a finished sync. `bar_count` and the bar times are the stored series' own.

    `fetched` is the sum of `inserted`, `changed`, `unchanged`, the refused bars and `forming`,
    which is 1 if the newest bar had not closed, else 0. After a sync with a `start`, `stop` says
    why it went no further back than `reached_back_to`.
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
    stop: Stop | None = None
    reached_back_to: int | None = None
    history_begins_at: int | None = None


def retry_delay_seconds(
    attempt: int, jitter: float, longest_seconds: float = MAX_DELAY_SECONDS
) -> float:
    """The delay after the `attempt`-th failure of a unit (from 1): from 5 s, doubling to 15 min.

    `jitter` in [0, 1) subtracts up to half of it, so that units that failed together are not
    retried together.
    """
    delay = min(_FIRST_DELAY_SECONDS * 2.0 ** (min(attempt, 32) - 1), longest_seconds)
    return delay * (1 - jitter / 2)
