"""A PocketQuant API from Python: `Client("http://127.0.0.1:8000").bars("NASDAQ:AAPL", "1d")`.

Bars come as a DataFrame; other answers are the API's JSON, decoded. What the API refuses is raised
as the error it names. A connection that cannot be made is tried again, as is a read that comes too
soon for the key's limit; pandas, polars and pyarrow are imported by the first `bars`.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from itertools import chain, repeat
from threading import Event
from typing import Any, Literal
from urllib.parse import quote as escaped

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from pocketquant.domain.errors import InvalidRequest, StorageUnavailable, Unavailable, error_named
from pocketquant.domain.symbols import Symbol

Json = dict[str, Any]
Moment = str | date | datetime  # a date is its 00:00 UTC; a moment has its offset

_KEY_HEADER = "X-API-Key"
_ANSWER_SECONDS = 70.0  # a waiting sync holds its answer back for up to 60
_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0)  # before a stream is taken up again; then the longest one
_LONGEST_PAUSE_SECONDS = 5.0
_MOST_TRIES = 3
_TOO_SOON = 429


class Client:
    """Calls to one API over one session; with an API key where it wants one."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self._root = f"{url.rstrip('/')}/api/v1"
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_retries()))
        if api_key:
            self._session.headers[_KEY_HEADER] = api_key

    def sync(self, symbol: str, interval: str, n_bars: int) -> Json:
        """Bring a series up to date and wait for the report; a job where that takes too long."""
        return self._call("POST", "/market-data/sync", json=_wish(symbol, interval, n_bars))

    def sync_in_background(self, symbol: str, interval: str, n_bars: int) -> Json:
        """The job that brings the series up to date."""
        wish = _wish(symbol, interval, n_bars)
        return self._call("POST", "/market-data/sync/background", json=wish)

    def bulk(self, symbols: Iterable[str], intervals: Iterable[str], n_bars: int) -> Json:
        """The one job that brings every symbol up to date at every interval."""
        body = {**_named(symbols), "intervals": list(intervals), "n_bars": n_bars}
        return self._call("POST", "/market-data/sync/bulk", json=body)

    def watch(self, job_id: str) -> Iterator[Json]:
        """The job whenever it changes, until it has ended.

        Ask a client of the push process, which is made for streams. A stream that breaks is taken
        up again.
        """
        for event, job in self._events(f"/jobs/{escaped(job_id)}/events"):
            yield job
            if event == "end":
                return

    def subscribe(self, symbols: Iterable[str]) -> Json:
        """Watch these symbols too; what is watched from now on."""
        return self._call("POST", "/quotes/subscribe", json=_named(symbols))

    def unsubscribe(self, symbols: Iterable[str]) -> Json:
        """Watch these symbols no more."""
        return self._call("POST", "/quotes/unsubscribe", json=_named(symbols))

    def start_quotes(self) -> Json:
        """Watch what is subscribed; this is so from the first."""
        return self._call("POST", "/quotes/start")

    def stop_quotes(self) -> Json:
        """Watch nothing; what is subscribed stays so."""
        return self._call("POST", "/quotes/stop")

    def quote(self, symbol: str) -> Json:
        """The latest quote; the error says why there is none."""
        return self._call("GET", f"/quotes/latest/{_path(symbol)}")

    def quotes(self) -> list[Json]:
        """All live quotes, in order of the symbol."""
        found: list[Json] = self._answer("GET", "/quotes/all").json()
        return found

    def current_bar(self, symbol: str, interval: str) -> Json:
        """The bar that is being built of live quotes."""
        path = f"/quotes/current-bar/{_path(symbol)}"
        return self._call("GET", path, params={"interval": interval})

    def quotes_status(self) -> Json:
        """What is to be watched, who watches it, and what cannot be."""
        return self._call("GET", "/quotes/status")

    def stream(self, symbols: Iterable[str]) -> Iterator[Json]:
        """The latest quotes of these symbols and then each that changes, for ever.

        Ask a client of the push process. A stream that breaks or ends is taken up again, and then
        begins with the latest quotes once more.
        """
        names = ",".join(str(Symbol.parse(symbol)) for symbol in symbols)
        for _, changed in self._events("/quotes/stream", symbols=names):
            yield changed

    def fleet(self) -> Json:
        """Workers, queues, pace, schedules."""
        return self._call("GET", "/fleet")

    def schedule(self, name: str) -> Json:
        """When a schedule runs, and how it went."""
        return self._call("GET", f"/schedules/{escaped(name)}")

    def change_schedule(self, name: str, **changes: str | int | bool) -> Json:
        """The schedule with another `cron`, `n_bars` or `paused`, or asked to run by `run_now`."""
        return self._call("PUT", f"/schedules/{escaped(name)}", json=changes)

    def job(self, job_id: str) -> Json:
        """How far a job is."""
        return self._call("GET", f"/jobs/{escaped(job_id)}")

    def sync_status(self, symbol: str, interval: str) -> Json:
        """What is known of the series' last sync."""
        path = f"/market-data/sync-status/{_path(symbol)}"
        return self._call("GET", path, params={"interval": interval})

    def bars(
        self,
        symbol: str,
        interval: str = "1d",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        frame: Literal["pandas", "polars", "arrow"] = "pandas",
    ) -> Any:
        """Stored bars that open in [start, end), or the newest `limit` of them, in order of time.

        A pandas DataFrame with the open times (UTC) as its index `datetime`, a polars one or an
        Arrow table with a column of that name; open, high, low, close, volume are float64, and a
        volume that does not exist is null. NotFound for a series that was never synced.
        """
        given = {"start_date": _told(start), "end_date": _told(end), "limit": limit}
        query = {name: value for name, value in given.items() if value is not None}
        answer = self._answer(
            "GET",
            f"/market-data/ohlcv/{_path(symbol)}",
            params={"interval": interval, "format": "arrow", "order": "desc", **query},
        )
        return _framed(answer.content, frame)

    def search(self, query: str, **filters: str | int) -> Json:
        """Symbols that TradingView offers; filtered by `type`, `exchange`, `country`."""
        return self._call("GET", "/market-data/symbols/search", params={"query": query, **filters})

    def ohlcv(self, symbol: str, interval: str, **query: str | int) -> Json:
        """One page of bars as JSON, the newest first unless `order="asc"`.

        `start_date`, `end_date`, `limit`, and the `cursor` that the page before told.
        """
        path = f"/market-data/ohlcv/{_path(symbol)}"
        return self._call("GET", path, params={"interval": interval, **query})

    def _events(self, path: str, **query: str) -> Iterator[tuple[str, Json]]:
        """Server-sent events of a stream that is taken up again for as long as it is asked."""
        answer = self._answer("GET", path, stream=True, params=query)
        while True:
            with answer:
                yield from _events_until_it_breaks(answer)
            answer = self._take_up_again(path, query)

    def _take_up_again(self, path: str, query: dict[str, str]) -> requests.Response:
        """Its next answer, as soon as there is one; asked for less often the longer it takes."""
        pauses = chain(_PAUSES_SECONDS, repeat(_LONGEST_PAUSE_SECONDS))
        never = Event()
        while True:
            never.wait(next(pauses))
            with suppress(Unavailable):
                return self._answer("GET", path, stream=True, params=query)

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
            body = _error_document(answer)
            raise error_named(body.get("error", ""), _message(body))
        return answer


def _events_until_it_breaks(answer: requests.Response) -> Iterator[tuple[str, Json]]:
    """Events, each its name and its decoded data."""
    event = ""
    try:
        for line in answer.iter_lines(decode_unicode=True):
            field, _, value = line.partition(": ")
            if field == "event":
                event = value
            elif field == "data":
                yield event, json.loads(value)
    except requests.RequestException:
        return  # as if it had ended: what it told is told again by the next one


def _named(symbols: Iterable[str]) -> Json:
    parsed = [Symbol.parse(symbol) for symbol in symbols]
    return {"symbols": [{"symbol": one.ticker, "exchange": one.exchange} for one in parsed]}


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
    return f"{parsed.exchange}/{escaped(parsed.ticker, safe='/')}"


def _retries() -> Retry:
    """Of reads, and of connections that were never made."""
    return Retry(
        _MOST_TRIES,
        read=0,
        other=0,
        status_forcelist=(_TOO_SOON,),
        allowed_methods=("GET",),
        backoff_factor=_PAUSES_SECONDS[0],
        raise_on_status=False,
    )


def _told(moment: Moment | None) -> str | None:
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise InvalidRequest(f"{moment} has no time zone; add tzinfo=UTC where UTC is meant")
    return moment.isoformat() if isinstance(moment, date) else moment


def _framed(stream: bytes, frame: str) -> Any:
    """The bars of an Arrow stream that begins with the newest one."""
    import pyarrow

    table = pyarrow.ipc.open_stream(stream).read_all().sort_by("datetime")
    if frame == "arrow":
        return table
    if frame == "polars":
        import polars

        return polars.from_arrow(table)
    return table.to_pandas().set_index("datetime")


def _error_document(answer: requests.Response) -> Json:
    """What the API says; something in front of it may say it in words of its own."""
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        body = None
    if isinstance(body, dict):
        return body
    said = f"{answer.status_code} {answer.reason}"
    return {"error": Unavailable.code, "message": f"{answer.url} says {said}, not as a PocketQuant"}


def _message(body: Json) -> str:
    details = body.get("errors") or ""
    return f"{body.get('message') or body.get('status')} {details}".strip()
