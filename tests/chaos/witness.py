"""An independent reader: bars as the database and the provider's wire hold them.

It shares no code with PocketQuant. Chunks are read as README shows, the wire by hand.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

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


class Exchange:
    """What the provider itself says, over one connection of our own."""

    def __init__(self, url: str, http_url: str) -> None:
        self._http_url = http_url
        self._socket = websocket.create_connection(url, timeout=30, origin=_ORIGIN)
        self._sessions = 0
        self._send("set_auth_token", "unauthorized_user_token")

    @classmethod
    @contextmanager
    def at(cls, url: str, http_url: str) -> Iterator[Self]:
        """A connection for as long as the block lasts."""
        exchange = cls(url, http_url)
        try:
            yield exchange
        finally:
            exchange._socket.close()

    def now(self) -> float:
        """The time of the market."""
        return float(requests.get(f"{self._http_url}/control/clock", timeout=30).json()["now"])

    def bars(self, series: str, count: int) -> Rows:
        """The newest bars of a series, the one that is still forming included."""
        symbol, _, interval = series.partition("|")
        self._sessions += 1
        chart = f"cs_witness{self._sessions:04}"
        self._send("chart_create_session", chart, "")
        self._send("resolve_symbol", chart, "sds_sym_1", f'={{"symbol":"{symbol}"}}')
        resolution = _RESOLUTIONS[interval]
        self._send("create_series", chart, "sds_1", "s1", "sds_sym_1", resolution, count, "")
        found: Rows = {}
        while True:
            for method, params in self._receive():
                if params[:1] != [chart]:
                    continue
                if method == "timescale_update":
                    values = [bar["v"] for bar in params[1]["sds_1"]["s"]]
                    found |= _rows(np.array(values, dtype=np.float64))
                if method == "series_completed":
                    self._send("chart_delete_session", chart)
                    return found
                if method.endswith("_error"):
                    raise ValueError(f"the provider answers {method} {params} for {series}")

    def _send(self, method: str, *params: object) -> None:
        text = json.dumps({"m": method, "p": params})
        self._socket.send(f"~m~{len(text)}~m~{text}")

    def _receive(self) -> list[tuple[str, list[Any]]]:
        text = self._socket.recv()
        messages = []
        for payload in filter(None, _FRAME.split(str(text))):
            if payload.startswith("~h~"):
                self._socket.send(f"~m~{len(payload)}~m~{payload}")
                continue
            message = json.loads(payload)
            if "m" in message:
                messages.append((message["m"], message["p"]))
        return messages


def _rows(bars: NDArray[np.float64]) -> Rows:
    return {int(bar[0]): tuple(float(value) for value in bar[1:]) for bar in bars}
