"""Requests to one API: which of them are repeated, for how long, and which errors are raised.

    no connection               repeated, whatever the request: nothing was sent
    a connection that broke     repeated if the request may be repeated
    502, 503, 504 by a proxy    repeated if the request may be repeated: a server restarts
    429                         repeated after `Retry-After`, within 10 s in all
    503 with `Retry-After`      repeated after that time, within 10 s in all, if the request may be
                                repeated: PocketQuant is too busy, or one of its servers is away
    no response in time         raised
    other errors of the API     raised at once: the API has retried by itself where that helps

Reads may be repeated, as may requests that carry an `Idempotency-Key` or store the same again.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from pocketquant.client.failures import (
    error_of_request,
    error_of_response,
    is_broken,
    is_unsent,
    unexpected_response,
)
from pocketquant.domain.errors import (
    InvalidRequest,
    NoLiveQuote,
    PocketQuantError,
    ProviderDown,
)
from pocketquant.pausing import pause

Json = dict[str, Any]

_PATH = "/api/v1"
_KEY_HEADER = "X-API-Key"
_PAUSES_SECONDS = (0.2, 0.5, 1.0)  # before each repetition
_LONGEST_WAIT_SECONDS = 10.0  # for `Retry-After`, all repetitions together
_SHORTEST_STREAM_SECONDS = 45.0  # a stream sends something every 15 s
_TOO_MANY_REQUESTS = 429
_GATEWAY_ERRORS = (502, 503, 504)
_SERVICE_UNAVAILABLE = 503
_LASTING = (NoLiveQuote.code, ProviderDown.code)  # errors that do not pass within seconds


class Transport:
    """Send requests to one API, with its key."""

    def __init__(self, url: str, api_key: str | None, timeout_seconds: float) -> None:
        self.server = url
        self.root = _root(url)
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        if api_key:
            self._session.headers[_KEY_HEADER] = _header(api_key)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request and return the JSON object of the response."""
        return self.decode(self.send(method, path, **arguments), dict)

    def decode(self, response: requests.Response, kind: type) -> Any:
        """Return the JSON of a response; Unavailable if it is not of this type, so not ours."""
        try:
            body = response.json()
        except requests.JSONDecodeError as error:
            raise unexpected_response(response) from error
        if not isinstance(body, kind):
            raise unexpected_response(response)
        return body

    def send(
        self, method: str, path: str, *, is_repeatable: bool | None = None, **arguments: Any
    ) -> requests.Response:
        """Send a request, repeat it as the module says, and return the successful response.

        Raises the error that the response names, or the error of the connection.
        """
        may_repeat = method == "GET" if is_repeatable is None else is_repeatable
        patience_seconds = _LONGEST_WAIT_SECONDS
        for seconds in _PAUSES_SECONDS:
            try:
                response = self._send_once(method, path, **arguments)
            except requests.RequestException as error:
                if not (is_unsent(error) or (may_repeat and is_broken(error))):
                    raise self._error_of(error) from error
                pause(seconds)
                continue
            delay = _seconds_to_repetition(response, may_repeat, seconds)
            if delay is None or delay > patience_seconds:
                return self._checked(response)
            response.close()
            patience_seconds -= delay
            pause(delay)
        with self.translating_errors():
            return self._checked(self._send_once(method, path, **arguments))

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Raise our error for a response that breaks off while the block reads it."""
        try:
            yield
        except requests.RequestException as error:
            raise self._error_of(error) from error

    def _error_of(self, error: requests.RequestException) -> PocketQuantError:
        return error_of_request(error, self.root, self._timeout_seconds)

    def _send_once(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request. Redirects are not followed: they would send the key to another server."""
        seconds = self._timeout_seconds
        if arguments.get("stream"):
            seconds = max(seconds, _SHORTEST_STREAM_SECONDS)
        return self._session.request(
            method, self.root + path, timeout=seconds, allow_redirects=False, **arguments
        )

    def _checked(self, response: requests.Response) -> requests.Response:
        if response.ok and not response.is_redirect:
            return response
        with response, self.translating_errors():
            raise error_of_response(response)


def _seconds_to_repetition(
    response: requests.Response, may_repeat: bool, default_seconds: float
) -> float | None:
    """Return how long to wait before the request is repeated; None: it is not repeated."""
    header = response.headers.get("Retry-After", "")
    retry_after = float(header) if header.isdecimal() else None
    if response.status_code == _TOO_MANY_REQUESTS:
        return default_seconds if retry_after is None else retry_after
    if not may_repeat or response.status_code not in _GATEWAY_ERRORS:
        return None
    code = _error_code(response)
    if code is None:
        return default_seconds
    is_busy = response.status_code == _SERVICE_UNAVAILABLE and code not in _LASTING
    return retry_after if is_busy else None


def _error_code(response: requests.Response) -> str | None:
    """Return the error code of PocketQuant; None for a response of a proxy."""
    try:
        body = response.json()
    except requests.RequestException:
        return None
    is_ours = isinstance(body, dict) and "error" in body and "message" in body
    return str(body["error"]) if is_ours else None


def _root(url: str) -> str:
    """Return the URL before the paths of calls, from the URL of a server or of its API."""
    server = url.strip().rstrip("/").removesuffix(_PATH)
    if not re.match(r"https?://[^/\s]", server):
        raise InvalidRequest(f"{url!r} is no URL such as http://127.0.0.1:8000")
    return server + _PATH


def _header(api_key: str) -> str:
    """Return the key without the line end of a file; an error must not show the key."""
    key = api_key.strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidRequest("the API key has characters that no key has")
    return key
