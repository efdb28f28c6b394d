"""Bars over HTTP: from the cache, from the store, and 304; beside FastAPI with a response model.

Ours is the product: granian with the flags of `pocketquant up`, one process. The peer is the usual
way to build such an endpoint: FastAPI on uvicorn, one process, which loads JSON rows from Redis and
answers through a response model. It has no store and no tags, so every kind of ours is compared
with the same response of the peer. Both get the same load from wrk (16 connections) and take turns;
figures are medians.

`cold` requests another range each time, for which no answer is cached: bars are joined and encoded.
Ranges one minute apart share most chunks, which web keeps for a while; in `cold, chunks too` each
range needs chunks from MongoDB, for the ranges before it have evicted them.
`with a key` is `cached` with a key that is checked and counted.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests

from pocketquant.storage.chunks import CHUNK_PERIODS
from tests.benchmarks.report import Row
from tests.benchmarks.rest_servers import COUNTS, Servers, running
from tests.benchmarks.size import sized

ROUNDS = sized(3, 1)
STORED_BARS = sized(1_000_000, 10_000)
SECONDS = sized(4, 1)
CONNECTIONS = 16
TARGETS = {
    ("cached", 1000): "≥ 10×",
    ("cached", 5000): "≥ 20×",
    ("cached, with a key", 1000): "",
    ("cold", 1000): "≥ 4×",
    ("cold", 5000): "",
    ("cold, chunks too", 1000): "",
    ("304", 1000): "≥ 12×",
    ("304", 5000): "",
}

BARS_BACK = {"cold": 1, "cold, chunks too": 2 * CHUNK_PERIODS - 1}

_NEW_RANGE_EACH_TIME = """
local count, path = 0, "%s&end_date="
request = function()
  count = count + 1
  local back = 60 * (count * %d %% %d)
  return wrk.format("GET", path .. os.date("!%%Y-%%m-%%dT%%H:%%M:%%SZ", %d - back))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """The URL that wrk requests over and over, and its options."""

    url: str
    options: tuple[str, ...] = ()


def run() -> list[Row]:
    """Measure requests per second of each kind, at each number of bars."""
    _wrk()  # before anything is started
    kinds = [*TARGETS, *(("peer", bars) for bars in COUNTS)]
    found = defaultdict(list)
    with (
        tempfile.TemporaryDirectory() as name,
        running(folder := Path(name), STORED_BARS) as servers,
    ):
        loads = {(kind, bars): _load(servers, kind, bars, folder) for kind, bars in kinds}
        for _ in range(ROUNDS):
            for row, load in loads.items():
                found[row].append(_requests_a_second(load))
    return [
        Row(
            f"GET {bars} bars, {kind}",
            ours=median(found[kind, bars]),
            peer=median(found["peer", bars]),
            unit="requests/s",
            target=target,
        )
        for (kind, bars), target in TARGETS.items()
    ]


def _load(servers: Servers, kind: str, bars: int, folder: Path) -> Load:
    url = f"{servers.ours}{bars}"
    if kind in BARS_BACK:
        script = folder / f"{kind}-{bars}.lua"
        turns = (BARS_BACK[kind], STORED_BARS - bars, servers.last_time)
        script.write_text(_NEW_RANGE_EACH_TIME % ("/" + url.split("/", 3)[3], *turns))
        return Load(url, ("-s", str(script)))
    if kind == "304":
        tag = requests.get(url, timeout=10).headers["ETag"]
        return Load(url, ("-H", f"If-None-Match: {tag}"))
    if kind == "cached, with a key":
        return Load(url, ("-H", f"X-API-Key: {servers.key}"))
    return Load(url if kind == "cached" else f"{servers.peer}{bars}")


def _wrk() -> str:
    return shutil.which("wrk") or sys.exit("this benchmark needs wrk: apt-get install wrk")


def _requests_a_second(load: Load) -> float:
    threads = ("-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", *load.options)
    report = subprocess.run(
        [_wrk(), *threads, "--timeout", "10s", load.url], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        sys.exit(f"not every request was served:\n{report}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if found is None:
        sys.exit(f"wrk did not report a rate:\n{report}")
    return float(found[1])
