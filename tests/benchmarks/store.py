"""The bar store beside a document per bar and ArcticDB on LMDB.

Blocks of 5000 one-minute bars: a random walk in cents, whole volumes. The three take turns on
fresh databases, in an order that is reversed each round; figures are those of the median call,
the first round not counted. The document per bar is kept in the same mongod with the same write
concern (majority, journalled) and gets fewer blocks, so that it ends. ArcticDB is given ready
DataFrames, as the store is given `Bars`, and keeps the newest version only, as the store does.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TypeVar

import arcticdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymongo import DESCENDING, IndexModel, ReplaceOne

from pocketquant.domain.bars import COLUMNS, Bars
from pocketquant.domain.symbols import Series
from pocketquant.machine.embedded import private_mongod, running
from pocketquant.servers.connections import Mongo, open_mongo
from pocketquant.storage.bars import BarStore
from pocketquant.storage.indexes import make_collections_and_indexes
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

ROUNDS = sized(9, 1)
SERIES = sized(40, 2)
BARS = sized(5000, 50)
UPDATES = sized(4, 1)  # of ten bars, one after another
FEW = sized(3, 1)  # series of the document per bar

FIRST, AGAIN, TEN, READ, TOGETHER = "first", "again", "ten", "read", "together"
T = TypeVar("T")
CONTENDERS = ("ours", "a document per bar", "ArcticDB")


class Contender(Protocol):
    """A contender: its blocks are `Bars`, or DataFrames for ArcticDB."""

    def write(self, key: str, block: Any) -> None: ...

    def update(self, key: str, block: Any) -> None: ...

    def read(self, key: str) -> Any: ...

    def write_together(self, blocks: dict[str, Any]) -> None: ...


class Chunks:
    """Our store of column chunks, without the values that a write replaces."""

    def __init__(self, mongo: Mongo) -> None:
        make_collections_and_indexes(mongo)
        self._store = BarStore(mongo)
        self._other = BarStore(mongo, "ohlcv_live")

    def write(self, key: str, block: Bars) -> None:
        self._store.upsert({Series.parse(key): block})

    update = write

    def read(self, key: str) -> Bars:
        return self._store.latest(Series.parse(key), BARS)

    def write_together(self, blocks: dict[str, Bars]) -> None:
        self._other.upsert({Series.parse(key): block for key, block in blocks.items()})


class Documents:
    """A document per bar, unique by series and time."""

    def __init__(self, mongo: Mongo) -> None:
        self._bars = mongo["documents"]
        self._bars.create_indexes([IndexModel(["series", "time"], unique=True)])

    def write(self, key: str, block: Bars) -> None:
        rows = (dict(zip(COLUMNS, row, strict=True)) for row in block.columns.T.tolist())
        upserts = [
            ReplaceOne({"series": key, "time": row["time"]}, {"series": key, **row}, upsert=True)
            for row in rows
        ]
        self._bars.bulk_write(upserts, ordered=False)

    update = write

    def read(self, key: str) -> Bars:
        found = self._bars.find({"series": key}, {"_id": False, "series": False})
        newest = found.sort("time", DESCENDING).limit(BARS)
        return Bars(np.array([tuple(bar.values()) for bar in newest])[::-1].T)

    def write_together(self, blocks: dict[str, Bars]) -> None:
        """Write one series after the other: there is no call for many."""


class Arctic:
    """ArcticDB on LMDB."""

    def __init__(self, folder: Path) -> None:
        arctic = arcticdb.Arctic(f"lmdb://{folder}")
        self._library = arctic.get_library("bars", create_if_missing=True)
        self._other = arctic.get_library("other", create_if_missing=True)

    def write(self, key: str, block: pd.DataFrame) -> None:
        self._library.update(key, block, upsert=True, prune_previous_versions=True)

    update = write

    def read(self, key: str) -> pd.DataFrame:
        return self._library.read(key).data

    def write_together(self, blocks: dict[str, pd.DataFrame]) -> None:
        payloads = [arcticdb.UpdatePayload(*block) for block in blocks.items()]
        self._other.update_batch(payloads, upsert=True, prune_previous_versions=True)


class Timings:
    """Seconds of each call, by step."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def measure(self, step: str, act: Callable[..., T], *arguments: object) -> T:
        began = time.perf_counter()
        outcome = act(*arguments)
        self._seconds[step].append(time.perf_counter() - began)
        return outcome

    def rate(self, step: str, things: int = 1) -> float:
        """How many things a second, when a call is for so many; of the median call."""
        return things / median(self._seconds[step])


def run() -> list[Row]:
    """Measure bars and calls per second, and bytes a bar on disk."""
    timings = [Timings() for _ in CONTENDERS]
    with tempfile.TemporaryDirectory(prefix="pocketquant-bench-") as name:
        server = private_mongod(Path(name))
        with running(server):
            _round(0, server.url, Path(name), [Timings() for _ in timings])
            rounds = range(1, ROUNDS + 1)
            sizes = [_round(number, server.url, Path(name), timings) for number in rounds]
    return [*_rates(*timings), *_sizes(sizes)]


def _round(number: int, url: str, folder: Path, timings: list[Timings]) -> tuple[float, float]:
    """Every contender's turn on databases of its own; bytes a bar of chunks and documents."""
    blocks = {f"SIM:S{index}|1m": _block(100 * number + index) for index in range(SERIES)}
    newest = [
        {key: _newest(block, update) for key, block in blocks.items()}
        for update in range(1, UPDATES + 1)
    ]
    few = dict(list(blocks.items())[:FEW])
    mongo = open_mongo(url, f"round{number}")
    arctic = Arctic(folder / f"arctic{number}")
    with mongo.client:
        turns = [
            partial(_turn, timings[0], Chunks(mongo), blocks, newest),
            partial(_turn, timings[1], Documents(mongo), few, newest),
            partial(_turn, timings[2], arctic, frames(blocks), list(map(frames, newest))),
        ]
        for turn in turns if number % 2 else reversed(turns):
            _settle(mongo)
            turn()
        _settle(mongo)
        return _bytes_a_bar(mongo, "ohlcv", SERIES), _bytes_a_bar(mongo, "documents", FEW)


def _turn(
    timings: Timings, contender: Contender, whole: dict[str, Any], newest: list[dict[str, Any]]
) -> None:
    for key, block in whole.items():
        timings.measure(FIRST, contender.write, key, block)
    for key, block in whole.items():
        timings.measure(AGAIN, contender.update, key, block)
    for blocks in newest:
        for key in whole:
            timings.measure(TEN, contender.update, key, blocks[key])
    for key in whole:
        timings.measure(READ, contender.read, key)
    timings.measure(TOGETHER, contender.write_together, whole)


def _settle(mongo: Mongo) -> None:
    """Make a checkpoint, so that nobody's turn begins with the work that another one left."""
    mongo.client.admin.command("fsync")


def _rates(ours: Timings, documents: Timings, arctic: Timings) -> list[Row]:
    def rows(what: str, step: str, unit: str, things: int, *targets: str) -> list[Row]:
        mine, *peers = (each.rate(step, things) for each in (ours, documents, arctic))
        return [
            Row(f"{what} / {peer}", mine, rate, unit, target)
            for peer, rate, target in zip(CONTENDERS[1:], peers, targets, strict=True)
        ]

    together = rows(f"first write, {SERIES} in one call", TOGETHER, "bars/s", SERIES * BARS, "", "")
    return [
        *rows("first write", FIRST, "bars/s", BARS, "≥ 100", "≥ 1"),
        *rows("re-sync of the same", AGAIN, "bars/s", BARS, "≥ 50", "≥ 1"),
        *rows("ten-bar update", TEN, "calls/s", 1, "", "≥ 2"),
        *rows("read of 5000 bars", READ, "bars/s", BARS, "≥ 10", "≥ 1"),
        together[1],
    ]


def _sizes(sizes: list[tuple[float, float]]) -> list[Row]:
    ours, documents = (median(size) for size in zip(*sizes, strict=True))
    return [
        Row("on disk / a document per bar", ours, documents, "bytes/bar"),
        Row("on disk / the limit", ours, 15, "bytes/bar", "≤ 1"),
    ]


def _bytes_a_bar(mongo: Mongo, collection: str, series: int) -> float:
    """Data and indexes, after all steps."""
    stats = mongo.command("collStats", collection)
    return float(stats["storageSize"] + stats["totalIndexSize"]) / (series * BARS)


def _block(seed: int) -> Bars:
    time = 1_700_000_040 + 60 * (seed + np.arange(BARS))  # the newest chunk is more or less full
    return walk(seed, time)


def walk(seed: int, time: NDArray[np.int64]) -> Bars:
    """Return a random walk in cents, with whole volumes."""
    chance, count = np.random.default_rng(seed), len(time)
    close = 150 + np.cumsum(chance.normal(0, 0.05, count))
    open_ = np.roll(close, 1)
    high = np.maximum(open_, close) + np.abs(chance.normal(0, 0.03, count))
    low = np.minimum(open_, close) - np.abs(chance.normal(0, 0.03, count))
    prices = np.round([open_, high, low, close], 2)
    return Bars(np.vstack([time, prices, chance.integers(1, 50_000, count)]))


def _newest(block: Bars, update: int) -> Bars:
    """Ten bars five minutes after the update before: five known with more volume, five new."""
    newest = block.last(10).columns.copy()
    newest[0] += update * 5 * 60
    newest[5] += update
    return Bars(newest)


def frames(blocks: dict[str, Bars]) -> dict[str, pd.DataFrame]:
    return {
        key: pd.DataFrame(
            dict(zip(COLUMNS[1:], block.columns[1:], strict=True)),
            index=pd.DatetimeIndex(pd.to_datetime(block.time, unit="s"), name="time"),
        )
        for key, block in blocks.items()
    }
