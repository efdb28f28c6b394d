"""One API over HTTP: what is asked again, for how long, and what is raised in the end.

    no connection            asked again, whatever it was: nothing has been sent
    a connection that broke  asked again where asking twice does no harm
    502, 503, 504 by others  the same: a proxy speaks while a server restarts
    429                      asked again when the server says, if that is within 10 s in all
    503 of PocketQuant       the same, where asking twice does no harm: it is too busy, or a server
                             of its own is away
    too long without answer  raised: it has taken long enough
    other errors of its own  raised at once: it has tried by itself what can be tried

Reads may be asked twice, and so may what carries an `Idempotency-Key` or stores the same again.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from pocketquant.client.failures import (
    failure_of,
    is_broken,
    is_unsent,
    refusal,
    strange,
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
_PAUSES_SECONDS = (0.2, 0.5, 1.0)  # before each of the further tries
_LONGEST_WAIT_SECONDS = 10.0  # for a server that says when to come again, all tries together
_SHORTEST_STREAM_SECONDS = 45.0  # a stream says something each 15 s
_TOO_SOON = 429
_GATEWAY = (502, 503, 504)
_BUSY = 503
_NOT_BUSY = (NoLiveQuote.code, ProviderDown.code)  # which do not pass with the next seconds


class Transport:
    """Asks one API, with a key where it wants one."""

    def __init__(self, url: str, api_key: str | None, timeout_seconds: float) -> None:
        self.server = url
        self.root = _root(url)
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        if api_key:
            self._session.headers[_KEY_HEADER] = _header(api_key)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Return the JSON object of an answer."""
        return self.decoded(self.answer(method, path, **arguments), dict)

    def decoded(self, answer: requests.Response, kind: type) -> Any:
        """What the answer holds; Unavailable where it is not the JSON of a PocketQuant."""
        try:
            body = answer.json()
        except requests.JSONDecodeError as error:
            raise strange(answer) from error
        if not isinstance(body, kind):
            raise strange(answer)
        return body

    def answer(
        self, method: str, path: str, *, is_repeatable: bool | None = None, **arguments: Any
    ) -> requests.Response:
        """An answer that is well; else the error that it names, or that says what went wrong."""
        may_repeat = method == "GET" if is_repeatable is None else is_repeatable
        patience_seconds = _LONGEST_WAIT_SECONDS
        for delay in _PAUSES_SECONDS:
            try:
                answer = self._ask(method, path, **arguments)
            except requests.RequestException as error:
                if not (is_unsent(error) or (may_repeat and is_broken(error))):
                    raise self._failure(error) from error
                pause(delay)
                continue
            wanted = _seconds_to_next_try(answer, may_repeat, delay)
            if wanted is None or wanted > patience_seconds:
                return self._well(answer)
            answer.close()
            patience_seconds -= wanted
            pause(wanted)
        with self.reading():
            return self._well(self._ask(method, path, **arguments))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """An answer that breaks off while it is read is the error that says so."""
        try:
            yield
        except requests.RequestException as error:
            raise self._failure(error) from error

    def _failure(self, error: requests.RequestException) -> PocketQuantError:
        return failure_of(error, self.root, self._timeout_seconds)

    def _ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Redirections are not followed: they would take the key along, and make a POST a GET."""
        seconds = self._timeout_seconds
        if arguments.get("stream"):
            seconds = max(seconds, _SHORTEST_STREAM_SECONDS)
        return self._session.request(
            method, self.root + path, timeout=seconds, allow_redirects=False, **arguments
        )

    def _well(self, answer: requests.Response) -> requests.Response:
        if answer.ok and not answer.is_redirect:
            return answer
        with answer, self.reading():
            raise refusal(answer)


def _seconds_to_next_try(answer: requests.Response, may_repeat: bool, pause: float) -> float | None:
    """How long to wait before the next try; None: this answer is what counts."""
    told = answer.headers.get("Retry-After", "")
    wanted = float(told) if told.isdecimal() else None
    if answer.status_code == _TOO_SOON:
        return pause if wanted is None else wanted
    if not may_repeat or answer.status_code not in _GATEWAY:
        return None
    error = _error_of_ours(answer)
    if error is None:
        return pause
    return wanted if answer.status_code == _BUSY and error not in _NOT_BUSY else None


def _error_of_ours(answer: requests.Response) -> str | None:
    """The error that a PocketQuant names; None where something before it speaks."""
    try:
        body = answer.json()
    except requests.RequestException:
        return None
    is_ours = isinstance(body, dict) and "error" in body and "message" in body
    return str(body["error"]) if is_ours else None


def _root(url: str) -> str:
    """Where the calls are; of a server, or of its API."""
    server = url.strip().rstrip("/").removesuffix(_PATH)
    if not re.match(r"https?://[^/\s]", server):
        raise InvalidRequest(f"{url!r} is no URL such as http://127.0.0.1:8000")
    return server + _PATH


def _header(api_key: str) -> str:
    """A key that was read from a file may end with its line; an error must not tell it."""
    key = api_key.strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidRequest("the API key has characters that no key has")
    return key
