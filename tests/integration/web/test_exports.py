"""A million bars as a file, from the server that users run."""

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import requests

from pocketquant import Client
from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.machine.embedded import reserve_port
from pocketquant.machine.programs import web_command
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings
from pocketquant.wiring import Platform

SERIES = Series.parse("NASDAQ:AAPL|1m")
PATH = "/api/v1/market-data/ohlcv/NASDAQ/AAPL?interval=1m"
MILLION = 1_000_000
MOST_GROWN_BYTES = 100 * 1024 * 1024


@dataclass(frozen=True)
class Server:
    url: str
    pid: int

    def memory(self) -> int:
        """Resident bytes of the server and its processes."""
        parent = psutil.Process(self.pid)
        return sum(each.memory_info().rss for each in (parent, *parent.children(recursive=True)))


@pytest.fixture
def million(platform: Platform) -> Bars:
    """A million minutes in the store, the odd ones without a volume."""
    numbers = np.arange(MILLION, dtype=np.float64)
    volume = np.where(numbers % 2, np.nan, numbers)
    bars = Bars(np.array([60 * numbers, numbers, numbers + 1, numbers - 1, numbers, volume]))
    for start in range(0, MILLION, 200_000):
        platform.bars.upsert({SERIES: Bars(bars.columns[:, start : start + 200_000])})
    return bars


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    """granian with the flags of `pocketquant up`."""
    with _granian(settings) as running:
        yield running


@contextmanager
def _granian(settings: Settings) -> Iterator[Server]:
    port = reserve_port()
    own = settings.model_copy(update={"api_port": port})
    environment = os.environ | {
        "MONGODB_URL": settings.mongodb_url,
        "MONGODB_DATABASE": settings.mongodb_database,
        "REDIS_URL": settings.redis_url,
        "API_THREADS": "32",
    }
    process = subprocess.Popen(web_command(own), env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until("granian answers", lambda: _answers(url), (), 120)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/live", timeout=60).ok
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("parquet", lambda body: pa.parquet.read_table(BytesIO(body))),
        ("arrow", lambda body: pa.ipc.open_stream(body).read_all()),
    ],
)
def test_a_million_bars_are_exported_in_bounded_memory(
    server: Server, million: Bars, form: str, read: Callable[[bytes], pa.Table]
) -> None:
    """Each value is there, and the server has grown by less than it has sent."""
    requests.get(f"{server.url}{PATH}", timeout=60)
    before, most, pieces = server.memory(), 0, []
    with requests.get(
        f"{server.url}{PATH}&format={form}&order=asc", stream=True, timeout=60
    ) as answer:
        for piece in answer.iter_content(1 << 20):
            pieces.append(piece)
            most = max(most, server.memory())
    table = read(b"".join(pieces))
    print(f"{form}: {sum(map(len, pieces)):,} bytes, grown by {(most - before) / 2**20:.0f} MB")  # noqa: T201
    assert MILLION == table.num_rows
    assert np.array_equal(million.close, table["close"].to_numpy())
    assert np.array_equal(million.volume, table["volume"].to_numpy(), equal_nan=True)
    assert MILLION // 2 == table["volume"].null_count
    times = table["datetime"].cast(pa.timestamp("s", tz="UTC")).cast(pa.int64()).to_numpy()
    assert np.array_equal(million.time, times)
    assert most - before < MOST_GROWN_BYTES


@pytest.mark.parametrize("count", [5000, 20_000])
def test_many_threads_of_one_client_get_their_bars(
    server: Server, platform: Platform, count: int
) -> None:
    """A few bars without any limit, more of them in turn."""
    numbers = np.arange(count, dtype=np.float64)
    platform.bars.upsert({SERIES: Bars(np.array([60 * numbers, *[numbers] * 5]))})
    client = Client(server.url)
    with ThreadPoolExecutor(8) as threads:
        frames = list(threads.map(lambda _: client.bars("NASDAQ:AAPL", "1m"), range(16)))
    assert [count] * 16 == [len(frame) for frame in frames]


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow"])
def test_an_export_that_fails_half_way_does_not_look_whole(
    server: Server, million: Bars, platform: Platform, form: str
) -> None:
    """It is an error; nothing of the file was sent."""
    middle = str(SERIES) + "|1000500"
    damaged = {"$set": {"columns": b"1234567"}}
    assert 1 == platform.mongo["ohlcv"].update_one({"_id": middle}, damaged).modified_count
    answer = requests.get(f"{server.url}{PATH}&format={form}&order=asc", timeout=60)
    assert (500, "internal_error") == (answer.status_code, answer.json()["error"])
    assert MILLION == len(million)
