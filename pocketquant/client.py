"""A PocketQuant API from Python: `Client("http://127.0.0.1:8000").bars("NASDAQ:AAPL", "1d")`.

Answers are the API's JSON, decoded. What the API refuses is raised as the error it names.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import requests

from pocketquant.domain.errors import StorageUnavailable, error_named
from pocketquant.domain.symbols import Symbol

Json = dict[str, Any]

_ANSWER_SECONDS = 70.0  # a waiting sync holds its answer back for up to 60


class Client:
    """Calls to one API over one session."""

    def __init__(self, url: str) -> None:
        self._root = f"{url.rstrip('/')}/api/v1"
        self._session = requests.Session()

    def sync(self, symbol: str, interval: str, n_bars: int) -> Json:
        """Bring a series up to date and wait for the report; a job where that takes too long."""
        return self._call("POST", "/market-data/sync", json=_wish(symbol, interval, n_bars))

    def sync_in_background(self, symbol: str, interval: str, n_bars: int) -> Json:
        """The job that brings the series up to date."""
        wish = _wish(symbol, interval, n_bars)
        return self._call("POST", "/market-data/sync/background", json=wish)

    def bulk(self, symbols: Iterable[str], intervals: Iterable[str], n_bars: int) -> Json:
        """The one job that brings every symbol up to date at every interval."""
        parsed = [Symbol.parse(symbol) for symbol in symbols]
        named = [{"symbol": one.ticker, "exchange": one.exchange} for one in parsed]
        body = {"symbols": named, "intervals": list(intervals), "n_bars": n_bars}
        return self._call("POST", "/market-data/sync/bulk", json=body)

    def watch(self, job_id: str) -> Iterator[Json]:
        """The job whenever it changes, until it has ended.

        Ask a client of the push process, which is made for streams. A stream that breaks is taken
        up again.
        """
        while True:
            for event, job in self._events(f"/jobs/{quote(job_id)}/events"):
                yield job
                if event == "end":
                    return

    def fleet(self) -> Json:
        """Workers, queues, pace, schedules."""
        return self._call("GET", "/fleet")

    def schedule(self, name: str) -> Json:
        """When a schedule runs, and how it went."""
        return self._call("GET", f"/schedules/{quote(name)}")

    def change_schedule(self, name: str, **changes: str | int | bool) -> Json:
        """The schedule with another `cron`, `n_bars` or `paused`, or asked to run by `run_now`."""
        return self._call("PUT", f"/schedules/{quote(name)}", json=changes)

    def job(self, job_id: str) -> Json:
        """How far a job is."""
        return self._call("GET", f"/jobs/{quote(job_id)}")

    def sync_status(self, symbol: str, interval: str) -> Json:
        """What is known of the series' last sync."""
        path = f"/market-data/sync-status/{_path(symbol)}"
        return self._call("GET", path, params={"interval": interval})

    def bars(self, symbol: str, interval: str, **query: str | int) -> Json:
        """Stored bars, the newest first unless `order="asc"`; `start_date`, `end_date`, `limit`."""
        path = f"/market-data/ohlcv/{_path(symbol)}"
        return self._call("GET", path, params={"interval": interval, **query})

    def _events(self, path: str) -> Iterator[tuple[str, Json]]:
        """Server-sent events, each its name and its decoded data."""
        event = ""
        with self._answer("GET", path, stream=True) as answer:
            for line in answer.iter_lines(decode_unicode=True):
                field, _, value = line.partition(": ")
                if field == "event":
                    event = value
                elif field == "data":
                    yield event, json.loads(value)

    def _call(self, method: str, path: str, **arguments: Any) -> Json:
        body: Json = self._answer(method, path, **arguments).json()
        return body

    def _answer(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            answer = self._session.request(
                method, self._root + path, timeout=_ANSWER_SECONDS, **arguments
            )
        except requests.RequestException as error:
            raise StorageUnavailable(
                f"no PocketQuant answers at {self._root}; start one with `pocketquant up`"
            ) from error
        if not answer.ok:
            body: Json = answer.json()
            raise error_named(body.get("error", ""), _message(body))
        return answer


def _wish(symbol: str, interval: str, n_bars: int) -> Json:
    parsed = Symbol.parse(symbol)
    return {
        "symbol": parsed.ticker,
        "exchange": parsed.exchange,
        "interval": interval,
        "n_bars": n_bars,
    }


def _path(symbol: str) -> str:
    parsed = Symbol.parse(symbol)
    return f"{parsed.exchange}/{quote(parsed.ticker, safe='/')}"


def _message(body: Json) -> str:
    details = body.get("errors") or ""
    return f"{body.get('message') or body.get('status')} {details}".strip()
