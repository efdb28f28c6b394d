"""What every group of calls is made of: one call, all pages of a list, a symbol in a request."""

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any
from urllib.parse import quote as escaped

from pocketquant.client.transport import Json, Transport
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.symbols import Symbol

Moment = str | date | datetime  # a date is its 00:00 UTC; a moment has its offset
Filter = str | int | float | bool | date | datetime | None

_MOST_ENTRIES = 500  # of a page


class Asking:
    """Calls over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _call(self, method: str, path: str, **arguments: Any) -> Json:
        return self._transport.call(method, path, **arguments)

    def _call_once(self, path: str, body: Json) -> Json:
        """A POST that may be sent again: by its key the API knows it, and does it once."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._call("POST", path, json=body, headers=headers, is_repeatable=True)

    def _list(self, path: str) -> list[Json]:
        found: list[Json] = self._transport.decoded(self._transport.answer("GET", path), list)
        return found

    def _pages(self, path: str, filters: dict[str, Filter]) -> Iterator[Json]:
        """The entries of all pages, each page asked for when it is reached."""
        query = {"page_size": _MOST_ENTRIES, **asked(filters)}
        page: int | None = query.pop("page", 1)
        while page is not None:
            answer = self._transport.answer("GET", path, params={**query, "page": page})
            yield from self._transport.decoded(answer, list)
            place = json.loads(answer.headers.get("X-Pagination", "{}"))
            page = place.get("next_page")


def asked(filters: dict[str, Filter]) -> dict[str, Any]:
    """A query of those that are given, as the API writes them."""
    return {name: _told(value) for name, value in filters.items() if value is not None}


def job_path(job_id: str) -> str:
    return f"/jobs/{escaped(job_id, safe='')}"


def symbol_path(symbol: str) -> str:
    parsed = Symbol.parse(symbol)
    return f"{parsed.exchange}/{escaped(parsed.ticker, safe='/')}"


def symbol_fields(symbol: str) -> Json:
    parsed = Symbol.parse(symbol)
    return {"symbol": parsed.ticker, "exchange": parsed.exchange}


def symbols_body(symbols: Iterable[str]) -> Json:
    return {"symbols": [symbol_fields(symbol) for symbol in symbols]}


def _told(value: Filter) -> str | int | float | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime) and value.tzinfo is None:
        raise InvalidRequest(f"{value} has no time zone; add tzinfo=UTC where UTC is meant")
    return value.isoformat() if isinstance(value, date) else value
