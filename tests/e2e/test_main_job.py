"""From a REST call through Celery workers into MongoDB and back, on real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import connect


def read_with_an_independent_client(url: str, symbol: str, resolution: str, count: int) -> Any:
    """Return the rows that a plain client reads; it shares no code with PocketQuant."""
    with connect(url, origin="https://www.tradingview.com", max_size=2**26) as socket:  # type: ignore[arg-type]

        def call(method: str, *params: object) -> None:
            text = json.dumps({"m": method, "p": params}, separators=(",", ":"))
            socket.send(f"~m~{len(text)}~m~{text}")

        call("set_auth_token", "unauthorized_user_token")
        call("chart_create_session", "cs_independent", "")
        call("resolve_symbol", "cs_independent", "sym", symbol)
        call("create_series", "cs_independent", "sds", "s1", "sym", resolution, count)
        rows: list[list[float]] = []
        while True:
            text = str(socket.recv(timeout=60))
            while text:  # ~m~LENGTH~m~PAYLOAD, repeated
                _, _, length, _, rest = text.split("~", 4)
                payload, text = rest[: int(length)], rest[int(length) :]
                message = json.loads(payload) if payload.startswith("{") else {}
                if message.get("m") == "timescale_update":
                    rows += [bar["v"] for bar in message["p"][1]["sds"]["s"]]
                if message.get("m") == "series_completed":
                    return rows


@pytest.mark.parametrize(
    ("symbol", "interval", "resolution"),
    [
        ("SP:SPX", "1d", "1D"),
        ("BINANCE:BTCUSDT", "1m", "1"),
        ("NASDAQ:AAPL", "1h", "60"),
        ("NASDAQ:MSFT", "1w", "1W"),
        ("TVC:RUT", "1d", "1D"),
        ("NSE:RELIANCE", "15m", "15"),
        ("OANDA:EURUSD", "1M", "1M"),
    ],
)
def test_bars_by_rest_equal_those_on_the_wire(
    platform: Any, simulator: Any, symbol: str, interval: str, resolution: str
) -> None:
    """Bars read by REST equal, value by value, what an independent client reads."""
    synced = platform.sync(symbol, interval, 5000)
    assert synced.status == 200, synced.body
    assert synced.body["status"] == "completed"

    exchange, ticker = symbol.split(":")
    path = f"/api/v1/market-data/ohlcv/{exchange}/{ticker}"
    answer = platform.get(path, interval=interval, limit=5000, order="asc").body
    times = [np.datetime64(bar["datetime"].rstrip("Z"), "s").astype(int) for bar in answer["data"]]
    by_time = {
        int(time): [bar[name] for name in ("open", "high", "low", "close", "volume")]
        for time, bar in zip(times, answer["data"], strict=True)
    }

    on_the_wire = read_with_an_independent_client(simulator.url, symbol, resolution, 5000)
    expected = {int(row[0]): [*row[1:], None][:5] for row in on_the_wire}
    shared = sorted(expected.keys() & by_time.keys())
    assert len(shared) >= len(by_time) - 1  # the window may have moved by a bar between the reads
    assert len(shared) >= min(len(expected) - 2, 200)
    assert [by_time[time] for time in shared] == [expected[time] for time in shared]
    assert answer["count"] == len(answer["data"]) == synced.body["bar_count"]


def test_a_second_sync_inserts_and_changes_nothing(platform: Any) -> None:
    """Bars that are stored already are only counted."""
    first = platform.sync("SP:SPX", "1d", 5000).body
    second = platform.sync("SP:SPX", "1d", 5000).body
    assert first["bar_count"] == 368
    counts = [second[name] for name in ("fetched", "inserted", "changed", "unchanged", "refused")]
    assert counts == [368, 0, 0, 368, 0]


def test_a_sync_drops_cached_answers(platform: Any) -> None:
    """A sync that stores more bars drops the answers cached in Redis."""
    path = "/api/v1/market-data/ohlcv/SIM/S0101"
    platform.sync("SIM:S0101", "1d", 10)
    assert platform.get(path, interval="1d").body["count"] <= 10
    platform.sync("SIM:S0101", "1d", 200)
    assert platform.get(path, interval="1d").body["count"] >= 199


def test_a_background_sync_is_a_job(platform: Any) -> None:
    """The answer is 202 with a job, which can be followed to its end."""
    path = "/api/v1/market-data/sync/background"
    body = {"exchange": "SIM", "symbol": "S0102", "interval": "1h", "n_bars": 50}
    answer = platform.post(path, body)
    assert answer.status == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.body['job_id']}"
    job = platform.wait_for_job(answer.body["job_id"])
    assert (job["state"], job["counts"]["completed"], job["counts"]["total"]) == ("completed", 1, 1)


def test_a_call_that_times_out_gets_the_job(platform: Any, simulator: Any) -> None:
    """The answer is 202 if the caller's time-out is shorter than the sync; the job still ends."""
    simulator.order("latency", "SIM:S0103", 1.5)
    answer = platform.sync("SIM:S0103", timeout=0.3)
    assert answer.status == 202
    job = platform.wait_for_job(answer.body["job_id"])
    assert job["counts"]["completed"] == 1


def test_the_symbol_and_its_series_are_registered(platform: Any) -> None:
    """A synced symbol is listed with the provider's listing."""
    platform.sync("NYSE:KO", "1d", 10)
    symbols = platform.get("/api/v1/market-data/symbols", exchange="NYSE").body
    listed = {one["symbol"]: one for one in symbols}
    assert "Coca-Cola" in listed["KO"]["name"]
    assert listed["KO"]["currency"] == "USD"


def test_the_forming_bar_is_beside_the_closed_ones(platform: Any) -> None:
    """A 24x7 pair always has a forming day, which is not among the bars."""
    platform.sync("SIM:S0104", "1d", 5)
    answer = platform.get("/api/v1/market-data/ohlcv/SIM/S0104", interval="1d").body
    assert answer["forming"]["bar_start"] > answer["data"][0]["datetime"]
    assert answer["forming"]["source"] == "history"


def test_the_command_syncs_and_prints_bars(platform: Any) -> None:
    """`pocketquant sync` and `pocketquant bars` sync and print bars in a shell."""
    command = str(Path(sys.executable).parent / "pocketquant")

    def run(*arguments: str) -> Any:
        ended = subprocess.run(
            [command, *arguments, "--url", platform.url, "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    reports = run("sync", "SIM:S0110", "SIM:S0111", "--interval", "1h", "--bars", "30")
    assert [report["status"] for report in reports] == ["completed", "completed"]
    bars = run("bars", "sim:s0110", "--interval", "1h", "--limit", "5")
    assert len(bars) == 5
    assert bars[0]["datetime"] > bars[-1]["datetime"]


def test_a_refusal_reaches_the_shell(platform: Any) -> None:
    """The command exits with 1 and names the error."""
    command = [str(Path(sys.executable).parent / "pocketquant"), "sync", "NASDAQ:NONE"]
    ended = subprocess.run(
        [*command, "--url", platform.url], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "[unknown_symbol]" in ended.stderr
