"""A year of daily syncs with kept values: reads of a moment, writes, and bytes on disk.

Each trading day every series gets its new bars. Of all but the first series of each interval the
volume of the last stored bar is corrected each day, which is more than providers do. Bars are a
random walk in cents. The same syncs go to a store that keeps nothing, and to ArcticDB on LMDB,
which keeps all versions (`prune_previous_versions=False`). Twenty more daily series, all corrected
each day, show what a replaced value costs on disk. Each day has a job of its own. The clock is the
benchmark's own, so a year passes in seconds. Sizes are those of collections that were written once
more as they are, after a checkpoint.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import arcticdb
import numpy as np
from bson import ObjectId

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.revisions import Cause, Reason
from pocketquant.domain.symbols import Series
from pocketquant.machine.embedded import private_mongod, running
from pocketquant.servers.connections import Mongo, open_mongo
from pocketquant.storage.bars import BarStore
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.storage.revisions import Revisions
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized
from tests.benchmarks.store import Timings, frames, walk

DAYS = sized(250, 4)
BARS_A_DAY = {Interval.M1: sized(390, 12), Interval.H1: 7, Interval.D1: 1}
SERIES = sized(4, 2)  # of each interval
DAILY = sized(20, 2)  # more daily series
READS = sized(200, 2)
BARS = 5000  # of a read
BEGIN = 4_000_000_020 // DAY * DAY  # far off: the server expires nothing

_ZSTD = {"wiredTiger": {"configString": "block_compressor=zstd"}}


@dataclass
class Contenders:
    """The three stores, and how long their calls took."""

    mongo: Mongo
    plain_mongo: Mongo
    library: Any
    now: float = BEGIN
    chance: np.random.Generator = field(default_factory=partial(np.random.default_rng, 18))
    timings: Timings = field(default_factory=Timings)

    def __post_init__(self) -> None:
        for each in (self.mongo, self.plain_mongo):
            make_collections_and_indexes(each)
        revisions = Revisions(self.mongo, 400, lambda: self.now)
        self.kept = BarStore(self.mongo, revisions=revisions)
        self.plain = BarStore(self.plain_mongo)

    def write(self, series: Series, bars: Bars, cause: Cause) -> None:
        kind = " corrected" if _is_corrected(series) else ""
        block = {series: bars}
        ((key, frame),) = frames({str(series): bars}).items()
        update = partial(self.library.update, upsert=True)
        acts = [
            partial(self.timings.measure, f"write{kind}", self.kept.upsert, block, None, cause),
            partial(self.timings.measure, f"write plain{kind}", self.plain.upsert, block),
            partial(self.timings.measure, f"write arctic{kind}", update, key, frame),
        ]
        for place in self.chance.permutation(len(acts)):  # a store that follows ArcticDB is slower
            acts[place]()

    def past(self, series: Series, moment: int) -> Bars:
        return self.kept.at(moment).read(series, limit=BARS)

    def present(self, series: Series, end: int | None) -> Bars:
        return self.kept.read(series, None, end, BARS)

    def version(self, series: Series, number: int) -> Any:
        return self.library.tail(str(series), BARS, as_of=number).data


def run() -> list[Row]:
    """Measure calls a second, and bytes."""
    with tempfile.TemporaryDirectory(prefix="pocketquant-bench-") as name:
        server, folder = private_mongod(Path(name)), Path(name) / "arctic"
        library = arcticdb.Arctic(f"lmdb://{folder}").get_library("bars", create_if_missing=True)
        with running(server):
            mongo, plain = open_mongo(server.url, "kept"), open_mongo(server.url, "plain")
            with mongo.client, plain.client:
                stores = Contenders(mongo, plain, library)
                moments = list(_a_year(stores))
                _read_moments(stores, moments)
                sizes = _sizes(mongo, plain, folder)
                _change_all(stores)
    return [*_rates(stores.timings), *sizes]


def _a_year(stores: Contenders) -> Iterator[int]:
    """Sync day after day; yield a moment after each."""
    years = {
        Series.parse(f"SIM:S{number}|{interval.value}"): _year(number, interval)
        for interval in BARS_A_DAY
        for number in range(SERIES)
    }
    daily = {
        Series.parse(f"DAILY:S{number + 1}|1d"): _year(number, Interval.D1)
        for number in range(DAILY)
    }
    for day in range(DAYS):
        stores.now = BEGIN + (day + 1) * DAY + 0.618 * day % 0.4
        cause = Cause(Reason.SYNC, str(ObjectId()))
        for series, year in years.items():
            stores.write(series, _newest(series, year, day), cause)
        for series, year in daily.items():
            bars = _newest(series, year, day)
            stores.kept.upsert({series: bars}, cause=cause)
            stores.plain.upsert({series: bars})
        yield int(1000 * stores.now) + 500


def _is_corrected(series: Series) -> bool:
    return series.symbol.ticker != "S0"


def _newest(series: Series, year: Bars, day: int) -> Bars:
    """Return the bars of a day and the ten before, whose volumes were corrected by then."""
    count = BARS_A_DAY[series.interval]
    newest = year.columns[:, max(0, day * count - 10) : (day + 1) * count].copy()
    known = newest.shape[1] - count
    if _is_corrected(series) and known:
        newest[5, :known] += np.isin(np.arange(known) % count, (known - 1) % count)
    return Bars(newest)


def _read_moments(stores: Contenders, moments: list[int]) -> None:
    """Read the newest bars of a moment, and as many bars as they are now, from each store."""
    chance, measure = np.random.default_rng(1), stores.timings.measure
    for number in range(READS):
        day = int(chance.integers(len(moments)))
        series = Series.parse(f"SIM:S{number % 2}|1m")
        kind = " corrected" if _is_corrected(series) else ""
        end = moments[day] // 1000
        stores.present(series, end)  # so that all reads find the chunks in MongoDB's memory
        past = measure(f"read past{kind}", stores.past, series, moments[day])
        now = measure(f"read{kind}", stores.present, series, end)
        found = measure(f"read arctic{kind}", stores.version, series, day)
        assert len(past) == len(now) == len(found)
        assert past.volume.tolist() == found["volume"].tolist()


def _change_all(stores: Contenders) -> None:
    """Change every bar of the minutes, and read what was there before."""
    stores.now += DAY
    before = int(1000 * stores.now) - 1
    for number in range(SERIES):
        series = Series.parse(f"SIM:S{number}|1m")
        bars = stores.kept.read(series).columns.copy()
        bars[1:5] /= 2
        stores.kept.upsert({series: Bars(bars)})
        for _ in range(max(1, READS // SERIES)):
            past = stores.timings.measure("read halved", stores.past, series, before)
            now = stores.timings.measure("read half", stores.present, series, None)
            assert past.close[-1] == 2 * now.close[-1]


def _rates(timings: Timings) -> list[Row]:
    def row(what: str, step: str, peer: str, target: str = "") -> Row:
        return Row(what, timings.rate(step), timings.rate(peer), "calls/s", target)

    return [
        row(f"read of {BARS} bars as of a moment / now", "read past", "read", "≥ 0.67"),
        row("read as of a moment / ArcticDB", "read past", "read arctic"),
        row("read, corrected daily / now", "read past corrected", "read corrected", "≥ 0.67"),
        row("read, corrected daily / ArcticDB", "read past corrected", "read arctic corrected"),
        row("read, every bar changed since / now", "read halved", "read half", "≥ 0.67"),
        row("daily sync / without kept values", "write", "write plain"),
        row("daily sync / ArcticDB", "write", "write arctic"),
        row(
            "daily sync that replaces / without kept values",
            "write corrected",
            "write plain corrected",
        ),
        row("daily sync that replaces / ArcticDB", "write corrected", "write arctic corrected"),
    ]


def _sizes(mongo: Mongo, plain: Mongo, folder: Path) -> list[Row]:
    rows = []
    for name, keys, target in (
        ("all series", "SIM:", "≤ 1.2"),
        ("daily series corrected daily", "DAILY:", ""),
    ):
        bars, before = _bytes(mongo, "ohlcv", keys), _bytes(plain, "ohlcv", keys)
        kept = _bytes(mongo, "ohlcv_revisions", keys)
        rows.append(Row(f"on disk, {name} / without", bars + kept, before, "bytes", target))
    arctic = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    return [*rows, Row("on disk, all series / ArcticDB", rows[0].ours, arctic, "bytes")]


def _bytes(mongo: Mongo, name: str, keys: str) -> float:
    """Return the bytes of these documents and their index of ids, freshly written."""
    fresh = f"{name}_fresh"
    mongo.drop_collection(fresh)
    mongo.create_collection(fresh, storageEngine=_ZSTD)
    copied: list[dict[str, Any]] = [{"$match": {"_id": {"$regex": f"^{keys}"}}}, {"$merge": fresh}]
    mongo[name].aggregate(copied).close()
    mongo.client.admin.command("fsync")
    stats = mongo.command("collStats", fresh)
    if not stats["count"]:
        return 0.0
    return float(stats["storageSize"] + stats["totalIndexSize"])


def _year(seed: int, interval: Interval) -> Bars:
    """Return the bars of a year; those of a day open in its first hours."""
    day, bar = np.divmod(np.arange(DAYS * BARS_A_DAY[interval]), BARS_A_DAY[interval])
    return walk(seed, BEGIN + DAY * day + interval.seconds * bar)
