"""Server-sent events of a stream that is taken up again for as long as it is asked."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import requests

from pocketquant.client.failures import strange
from pocketquant.client.transport import Transport
from pocketquant.domain.errors import Unavailable
from pocketquant.pausing import growing_pauses, pause

_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0)  # before a stream is taken up again; then the longest one
_LONGEST_PAUSE_SECONDS = 5.0


def follow(transport: Transport, path: str, query: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Events, each its name and its decoded data, for ever."""
    answer = _open(transport, path, query)
    while True:
        with answer:
            yield from _until_it_breaks(answer)
        answer = _take_up_again(transport, path, query)


def _take_up_again(transport: Transport, path: str, query: dict[str, Any]) -> requests.Response:
    """Its next answer, as soon as there is one; asked for less often the longer it takes."""
    pauses = growing_pauses(*_PAUSES_SECONDS, longest=_LONGEST_PAUSE_SECONDS)
    while True:
        pause(next(pauses))
        with suppress(Unavailable):
            return _open(transport, path, query)


def _open(transport: Transport, path: str, query: dict[str, Any]) -> requests.Response:
    answer = transport.answer("GET", path, stream=True, params=query)
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        with answer:
            raise strange(answer)
    answer.encoding = "utf-8"
    return answer


def _until_it_breaks(answer: requests.Response) -> Iterator[tuple[str, Any]]:
    event = ""
    try:
        for line in answer.iter_lines(decode_unicode=True):
            field, _, value = line.partition(": ")
            if field == "event":
                event = value
            elif field == "data":
                yield event, json.loads(value)
    except (requests.RequestException, json.JSONDecodeError):
        return  # as if it had ended: what it told is told again by the next one
