"""Server-sent events of a stream, which is resumed whenever it breaks."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import requests

from pocketquant.client.failures import unexpected_response
from pocketquant.client.transport import Transport
from pocketquant.domain.errors import Unavailable
from pocketquant.pausing import growing_pauses, pause

_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0)  # before a stream is opened again
_LONGEST_PAUSE_SECONDS = 5.0


def follow(transport: Transport, path: str, query: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield events as name and decoded data, without end."""
    response = _open(transport, path, query)
    while True:
        with response:
            yield from _events_until_break(response)
        response = _reopen(transport, path, query)


def _reopen(transport: Transport, path: str, query: dict[str, Any]) -> requests.Response:
    """Request the stream again, after growing pauses, until the server responds."""
    pauses = growing_pauses(*_PAUSES_SECONDS, longest=_LONGEST_PAUSE_SECONDS)
    while True:
        pause(next(pauses))
        with suppress(Unavailable):
            return _open(transport, path, query)


def _open(transport: Transport, path: str, query: dict[str, Any]) -> requests.Response:
    response = transport.send("GET", path, stream=True, params=query)
    if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
        with response:
            raise unexpected_response(response)
    response.encoding = "utf-8"
    return response


def _events_until_break(response: requests.Response) -> Iterator[tuple[str, Any]]:
    event = ""
    try:
        for line in response.iter_lines(decode_unicode=True):
            field, _, value = line.partition(": ")
            if field == "event":
                event = value
            elif field == "data":
                yield event, json.loads(value)
    except (requests.RequestException, json.JSONDecodeError):
        return  # the resumed stream begins with the current state, so that nothing is missed
