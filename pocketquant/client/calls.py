"""`Calls`, the base of each group of calls, and how requests write symbols and filters."""

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any
from urllib.parse import quote as escaped

from pocketquant.client.transport import Json, Transport
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.symbols import Symbol

Moment = str | date | datetime  # a date means 00:00 UTC; a datetime needs a time zone
Filter = str | int | float | bool | date | datetime | None

_PAGE_SIZE = 500  # the most that the API allows


class Calls:
    """A group of calls over one transport.

    Responses are `Any` here; each public call declares its type from `client.responses`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        return self._transport.call(method, path, **arguments)

    def _call_once(self, path: str, body: Json) -> Any:
        """Send a POST with an idempotency key, so that repeating it has no second effect."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._call("POST", path, json=body, headers=headers, is_repeatable=True)

    def _list(self, path: str) -> Any:
        return self._transport.decode(self._transport.send("GET", path), list)

    def _pages(self, path: str, filters: dict[str, Filter]) -> Iterator[Any]:
        """Yield the entries of all pages; a page is requested when it is reached."""
        query = {"page_size": _PAGE_SIZE, **query_of(filters)}
        page: int | None = query.pop("page", 1)
        while page is not None:
            response = self._transport.send("GET", path, params={**query, "page": page})
            yield from self._transport.decode(response, list)
            pagination = json.loads(response.headers.get("X-Pagination", "{}"))
            page = pagination.get("next_page")


def query_of(filters: dict[str, Filter]) -> dict[str, Any]:
    """Query parameters of the filters that are not None."""
    return {name: _parameter(value) for name, value in filters.items() if value is not None}


def job_path(job_id: str) -> str:
    return f"/jobs/{escaped(job_id, safe='')}"


def symbol_path(symbol: str) -> str:
    parsed = Symbol.parse(symbol)
    return f"{parsed.exchange}/{escaped(parsed.name, safe='/')}"


def calendar_path(symbol: str) -> str:
    return f"/market-data/calendar/{symbol_path(symbol)}"


def symbol_fields(symbol: str) -> Json:
    parsed = Symbol.parse(symbol)
    return {"symbol": parsed.name, "exchange": parsed.exchange}


def symbols_body(symbols: Iterable[str]) -> Json:
    return {"symbols": [symbol_fields(symbol) for symbol in symbols]}


def _parameter(value: Filter) -> str | int | float | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime) and value.tzinfo is None:
        raise InvalidRequest(f"{value} has no time zone; add tzinfo=UTC if it is in UTC")
    return value.isoformat() if isinstance(value, date) else value
