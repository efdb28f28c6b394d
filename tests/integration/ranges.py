"""Ranges of the simulator's bars, and an independent reader of them."""

import json
from collections.abc import Callable

from websockets.sync.client import connect

from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.simulator.market.prices import Resolution
from pocketquant.simulator.server import Simulator
from pocketquant.simulator.wire import tokens
from pocketquant.wiring import Platform
from tests.simulated import known

NOW = 1_795_016_070  # 2026-11-18T15:34:30Z: New York is open
APPLE = Series.parse("NASDAQ:AAPL|1h")


def premium(wire_with: Callable[..., Platform], simulator: Simulator) -> Platform:
    """Return a platform with an account that may have 20,000 bars of a series."""
    return wire_with(
        tradingview_url=simulator.url,
        tradingview_http_url=simulator.http_url,
        tradingview_token=tokens.issue(1, NOW),
    )


def market_bars(simulator: Simulator, count: int) -> Bars:
    """Return the newest closed bars of the market."""
    hours = Resolution(60, "m")
    return simulator.market.newest(known("NASDAQ:AAPL"), hours, NOW, count + 1).bars.first(count)


def witness(url: str, token: str, symbol: str, resolution: str) -> list[list[float]]:
    """Return all bars that a reader of few lines gets, which shares no code with the product."""
    rows: dict[float, list[float]] = {}
    with connect(url, origin="https://www.tradingview.com", max_size=None) as socket:

        def call(method: str, *params: object) -> None:
            text = json.dumps({"m": method, "p": params})
            socket.send(f"~m~{len(text)}~m~{text}")

        call("set_auth_token", token)
        call("chart_create_session", "cs_w", "")
        call("resolve_symbol", "cs_w", "sy", symbol)
        call("create_series", "cs_w", "w", "w1", "sy", resolution, 3000, "")
        for text in socket:
            for payload in str(text).split("~m~")[2::2]:
                if payload.startswith("~h~"):
                    continue
                message = json.loads(payload)
                if message.get("m") == "timescale_update":
                    rows |= {bar["v"][0]: bar["v"] for bar in message["p"][1]["w"]["s"]}
                elif message.get("m") == "series_completed":
                    if "data_completed" in message["p"][4]:
                        return [rows[time] for time in sorted(rows)]
                    call("request_more_data", "cs_w", "w", 3000)
    raise AssertionError("the connection ended")
