"""A million one-minute bars as files and as frames, beside ArcticDB and a document per bar.

Ours go over HTTP: `Client.export` to a Parquet and an Arrow file, `Client.bars` to a DataFrame.
ArcticDB (LMDB, this process) and the document per bar (the same mongod, this process) read the same
bars into a DataFrame, and write it to a Parquet file where ours does. They take turns; figures are
medians. The memory is how much web grows while it exports.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

import arcticdb
import pandas as pd
import psutil
import pymongo
from pymongo.collection import Collection

from pocketquant.client import Client
from pocketquant.domain.bars import COLUMNS
from tests.benchmarks.report import Row
from tests.benchmarks.rest_servers import random_walk, running
from tests.benchmarks.size import sized

ROUNDS = sized(3, 1)
BARS = sized(1_000_000, 10_000)
MOST_MEGABYTES = 100.0

_SYMBOL, _INTERVAL = "NASDAQ:AAPL", "1m"
_POLL_SECONDS = 0.01

Document = dict[str, Any]


def run() -> list[Row]:
    """Measure the seconds of each way, and how much web's memory grows."""
    with tempfile.TemporaryDirectory() as name, running(folder := Path(name), BARS) as servers:
        client = Client(servers.api_url)
        library = _arctic(folder)
        mongo: pymongo.MongoClient[Document] = pymongo.MongoClient(servers.mongodb_url)
        documents = mongo["peer"]["bars"]
        _fill(documents)
        ways: dict[str, Callable[[], object]] = {
            "parquet": lambda: client.export(_SYMBOL, _INTERVAL, folder / "a.parquet"),
            "arrow": lambda: client.export(_SYMBOL, _INTERVAL, folder / "a.arrow", format="arrow"),
            "frame": lambda: client.bars(_SYMBOL, _INTERVAL),
            "ArcticDB frame": lambda: _read_arctic(library),
            "ArcticDB parquet": lambda: _read_arctic(library).to_parquet(folder / "b.parquet"),
            "documents frame": lambda: _read_documents(documents),
        }
        grown = {form: _growth(servers.web, ways[form]) for form in ("parquet", "arrow")}
        seconds = _seconds(ways)
        _require_same(client.bars(_SYMBOL, _INTERVAL), _read_arctic(library))
    pairs = [
        ("to a Parquet file, beside ArcticDB", "parquet", "ArcticDB parquet"),
        ("to an Arrow file, beside ArcticDB's frame", "arrow", "ArcticDB frame"),
        ("to a DataFrame, beside ArcticDB", "frame", "ArcticDB frame"),
        ("to a DataFrame, beside a document per bar", "frame", "documents frame"),
    ]
    memory = [
        Row(f"web grows by, {form}", megabytes, MOST_MEGABYTES, "MB", "≤ 1")
        for form, megabytes in grown.items()
    ]
    return [Row(name, seconds[ours], seconds[peer], "s") for name, ours, peer in pairs] + memory


def _arctic(folder: Path) -> arcticdb.version_store.library.Library:
    library = arcticdb.Arctic(f"lmdb://{folder / 'arctic'}").get_library(
        "bars", create_if_missing=True
    )
    columns = random_walk(BARS).columns
    frame = pd.DataFrame(dict(zip(COLUMNS[1:], columns[1:], strict=True)))
    frame.index = pd.DatetimeIndex(pd.to_datetime(columns[0], unit="s"), name="datetime")
    library.write(_SYMBOL, frame)
    return library


def _fill(documents: Collection[Document]) -> None:
    rows = random_walk(BARS).columns.T.tolist()
    documents.insert_many((dict(zip(COLUMNS, row, strict=True)) for row in rows), ordered=False)
    documents.create_index("time")


def _read_arctic(library: arcticdb.version_store.library.Library) -> pd.DataFrame:
    return library.read(_SYMBOL).data


def _read_documents(documents: Collection[Document]) -> pd.DataFrame:
    found = documents.find({}, {"_id": False}).sort("time")
    frame = pd.DataFrame.from_records([tuple(bar.values()) for bar in found], columns=COLUMNS)
    frame["time"] = pd.to_datetime(frame["time"], unit="s", utc=True)
    return frame.set_index("time")


def _seconds(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    taken = defaultdict(list)
    for _ in range(ROUNDS):
        for name, act in ways.items():
            began = time.perf_counter()
            act()
            taken[name].append(time.perf_counter() - began)
    return {name: median(each) for name, each in taken.items()}


def _growth(web: psutil.Process, act: Callable[[], object]) -> float:
    """Return by how many megabytes the server grew at most."""
    before = _megabytes(web)
    with _watched(web) as most:
        act()
    return most[0] - before


@contextmanager
def _watched(web: psutil.Process) -> Iterator[list[float]]:
    most, ended = [0.0], Event()

    def look() -> None:
        while not ended.wait(_POLL_SECONDS):
            most[0] = max(most[0], _megabytes(web))

    thread = Thread(target=look)
    thread.start()
    yield most
    ended.set()
    thread.join()


def _megabytes(web: psutil.Process) -> float:
    resident = sum(each.memory_info().rss for each in (web, *web.children(recursive=True)))
    return float(resident) / 2**20


def _require_same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    if len(ours) != BARS or not (ours.to_numpy() == theirs.to_numpy()).all():
        raise SystemExit("the two do not hold the same bars")
