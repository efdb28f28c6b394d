"""A split of a series of a million minutes, and what comparing bars costs a sync without one.

Times are from call to answer, with MongoDB's; memory is what Python and numpy hold at most while
the series is rescaled.
"""

import time
import tracemalloc
from contextlib import ExitStack

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import Cancelled
from pocketquant.domain.intervals import MINUTE
from pocketquant.domain.rescale import Rescaled, compare
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import MAX_BARS, History, SyncRequest
from pocketquant.history.rescaling import Rescaling
from pocketquant.messaging.queues import QueueName
from pocketquant.settings import Settings
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform, wire, wire_syncer
from tests.benchmarks.private_servers import private_urls
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

MINUTES = sized(1_000_000, 10_000)
ROUNDS = sized(100, 1)
SERIES = Series.parse("BINANCE:BTCUSDT|1m")
LIMIT_SECONDS, LIMIT_MB, LIMIT_MS = 5, 100, 1
TICK = 0.01


def run() -> list[Row]:
    """Seconds, megabytes and milliseconds, each beside its limit."""
    with private_urls() as urls, ExitStack() as ends:
        platform = wire(Settings(_env_file=None, **urls))  # type: ignore[arg-type, call-arg]
        ends.callback(platform.close)
        make_collections_and_indexes(platform.mongo)
        stored = minutes()
        platform.bars.upsert({SERIES: stored})
        rescaling = wire_syncer(platform).rescaling
        seconds, _ = rescale(platform, rescaling, stored, ratio=10)
        tracemalloc.start()
        _, most = rescale(platform, rescaling, stored, ratio=2)
        tracemalloc.stop()
    what = f"{MINUTES:,} bars rescaled"
    return [
        Row(f"{what} / the limit", seconds, LIMIT_SECONDS, "s", "≤ 1"),
        Row(f"{what}: memory / the limit", most, LIMIT_MB, "MB", "≤ 1"),
        Row(f"{MAX_BARS} bars compared / the limit", comparing(stored), LIMIT_MS, "ms", "≤ 1"),
    ]


def minutes() -> Bars:
    """Return minutes of a random walk."""
    chance = np.random.default_rng(18)
    times = MINUTE * np.arange(MINUTES, dtype=np.float64)
    closes = np.round(1000 * np.exp(np.cumsum(chance.normal(0, 1e-4, MINUTES))), 2)
    return Bars(np.array([times, closes, closes + 1, closes - 1, closes, closes]))


def rescale(
    platform: Platform, rescaling: Rescaling, stored: Bars, ratio: int
) -> tuple[float, float]:
    """Rescale all bars by a fetch of the newest; return seconds, and the most megabytes held."""
    unit_id = platform.intake.submit(SyncRequest(SERIES, MAX_BARS), QueueName.BULK).unit.id
    unit = platform.ledger.claim(unit_id)
    assert unit is not None
    begun = platform.statuses.mark_syncing(SERIES, None, 1, unit.lease)
    held = platform.bars.latest(begun.current.bars, MAX_BARS)
    columns = held.columns.copy()
    columns[1:5] = np.round(columns[1:5] / ratio, 2)
    history = History(Bars(columns))
    began = time.perf_counter()
    compared, _ = rescaling.compared(history, begun)
    assert isinstance(compared.verdict, Rescaled)
    stretch = (int(columns[0, 0]), int(columns[0, -1]) + 1)

    def covered(kept: KeptCoverage) -> KeptCoverage:
        return kept.after(SERIES, history.closed, stretch, 0, is_all=False)

    after = rescaling.in_one_scale(unit, history, compared, begun, covered, is_newest=True)
    seconds = time.perf_counter() - began
    assert len(stored) == platform.bars.count(after.current.bars)
    platform.ledger.fail(unit, Cancelled("measured"))
    most = tracemalloc.get_traced_memory()[1] / 1e6 if tracemalloc.is_tracing() else 0.0
    return seconds, most


def comparing(stored: Bars) -> float:
    """Return the processor's milliseconds for a comparison without a difference."""
    newest = stored.last(MAX_BARS)
    fetched = Bars(newest.columns.copy())
    began = time.process_time()
    for _ in range(ROUNDS):
        compare(newest, fetched, TICK)
    return 1000 * (time.process_time() - began) / ROUNDS
