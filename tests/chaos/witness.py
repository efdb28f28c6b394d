"""An independent reader: bars from the database and from the provider.

It shares no code with PocketQuant: it decodes chunks as docs/database.md shows, and
messages by hand.
"""

import json
import re
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import requests
import websocket
from numpy.typing import NDArray
from pymongo.database import Database

SECONDS = {"1m": 60, "5m": 300, "1d": 86400}

_RESOLUTIONS = {"1m": "1", "5m": "5", "1d": "1D"}
_FRAME = re.compile(r"~m~\d+~m~")
_ORIGIN = "https://data.tradingview.com"

Rows = dict[int, tuple[float, ...]]  # open time → open, high, low, close, volume


def stored_bars(mongo: Database[dict[str, Any]], collection: str) -> dict[str, Rows]:
    """All bars of a collection of chunks, by series."""
    found: dict[str, Rows] = {}
    for chunk in mongo[collection].find().sort("_id"):
        series = chunk["_id"].rpartition("|")[0]
        columns = np.frombuffer(chunk["columns"], "<f8").reshape(6, -1)
        found.setdefault(series, {}).update(_rows(columns.T))
    return found


@dataclass(frozen=True, slots=True)
class Exchange:
    """The provider itself; each request has its own connection, so none is idle."""

    url: str
    http_url: str

    def now(self) -> float:
        """Return the time of the market."""
        return float(requests.get(f"{self.http_url}/control/clock", timeout=30).json()["now"])

    def bars(self, series: str, count: int) -> Rows:
        """Return the newest bars of a series, including the forming one."""
        symbol, _, interval = series.partition("|")
        chart, resolution = "cs_witness", _RESOLUTIONS[interval]
        found: Rows = {}
        with closing(websocket.create_connection(self.url, timeout=30, origin=_ORIGIN)) as socket:
            _send(socket, "set_auth_token", "unauthorized_user_token")
            _send(socket, "chart_create_session", chart, "")
            _send(socket, "resolve_symbol", chart, "sds_sym_1", f'={{"symbol":"{symbol}"}}')
            _send(socket, "create_series", chart, "sds_1", "s1", "sds_sym_1", resolution, count, "")
            while True:
                for method, params in _receive(socket):
                    if method == "timescale_update":
                        values = [bar["v"] for bar in params[1]["sds_1"]["s"]]
                        found |= _rows(np.array(values, dtype=np.float64))
                    if method == "series_completed":
                        return found
                    if method.endswith("_error"):
                        raise ValueError(f"the provider answers {method} {params} for {series}")


def _send(socket: websocket.WebSocket, method: str, *params: object) -> None:
    text = json.dumps({"m": method, "p": params})
    socket.send(f"~m~{len(text)}~m~{text}")


def _receive(socket: websocket.WebSocket) -> list[tuple[str, list[Any]]]:
    messages = []
    for payload in filter(None, _FRAME.split(str(socket.recv()))):
        if payload.startswith("~h~"):
            socket.send(f"~m~{len(payload)}~m~{payload}")
            continue
        message = json.loads(payload)
        if "m" in message:
            messages.append((message["m"], message["p"]))
    return messages


def _rows(bars: NDArray[np.float64]) -> Rows:
    return {int(bar[0]): tuple(float(value) for value in bar[1:]) for bar in bars}
