"""What went wrong with a request, in words that say what to do about it."""

from typing import Any

import requests
from requests import exceptions
from urllib3.exceptions import MaxRetryError, NewConnectionError

from pocketquant.domain.errors import (
    InvalidRequest,
    Misconfigured,
    PocketQuantError,
    TooManyRequests,
    Unavailable,
    error_named,
)

_MOST_CHARACTERS = 80
_NO_URL = (
    exceptions.InvalidURL,
    exceptions.MissingSchema,
    exceptions.InvalidSchema,
    exceptions.InvalidHeader,
    exceptions.InvalidProxyURL,
)


def is_unsent(error: requests.RequestException) -> bool:
    """Whether no connection was made, so that the server has seen nothing."""
    if isinstance(error, exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def is_broken(error: requests.RequestException) -> bool:
    """Whether a connection broke that another one may do better than."""
    if isinstance(error, (exceptions.SSLError, exceptions.Timeout)):
        return False
    return isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError))


def failure_of(
    error: requests.RequestException, root: str, timeout_seconds: float
) -> PocketQuantError:
    """The error of a request that got no whole answer."""
    if isinstance(error, _NO_URL):
        return InvalidRequest(f"{root} cannot be asked: {error}")
    if isinstance(error, exceptions.SSLError):
        return Misconfigured(f"no secure connection to {root}: {_innermost(error)}")
    if isinstance(error, exceptions.ProxyError):
        return Unavailable(f"the proxy before {root} does not answer: {_innermost(error)}")
    if isinstance(error, exceptions.ReadTimeout):
        return Unavailable(f"{root} did not answer within {timeout_seconds:g} s")
    if is_unsent(error):
        return Unavailable(f"no PocketQuant answers at {root}; start one with `pocketquant up`")
    return Unavailable(f"the answer of {root} broke off: {_innermost(error)}")


def refusal(answer: requests.Response) -> PocketQuantError:
    """The error that an answer names; something before the API may say it in its own words."""
    if answer.is_redirect:
        to = answer.headers["Location"]
        return Misconfigured(f"{answer.url} leads to {to}; give the client the URL it leads to")
    body = _document(answer)
    if body is None:
        return strange(answer)
    error = error_named(body.get("error", ""), _message(body))
    if isinstance(error, TooManyRequests) and "Retry-After" in answer.headers:
        return TooManyRequests(f"{error}; ask again in {answer.headers['Retry-After']} s")
    return error


def strange(answer: requests.Response) -> Unavailable:
    """The error of an answer that no PocketQuant gives."""
    kind = answer.headers.get("Content-Type", "no type").partition(";")[0]
    begins = " ".join(answer.text[: 2 * _MOST_CHARACTERS].split())[:_MOST_CHARACTERS]
    said = f"{answer.status_code} {answer.reason} with {kind}"
    return Unavailable(f"{answer.url} says {said}, not as a PocketQuant does: {begins!r}")


def missing_library(what: str, library: str, extra: str) -> Misconfigured:
    """The error of a call whose library is not installed; it names the extra that brings it."""
    return Misconfigured(f"{what} needs {library}; `pip install 'pocketquant[{extra}]'` brings it")


def _document(answer: requests.Response) -> dict[str, Any] | None:
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        return None
    return body if isinstance(body, dict) and "error" in body else None


def _message(body: dict[str, Any]) -> str:
    """With what stands beside it, such as a job's id; the lists of what is wrong repeat it."""
    beside = [
        f"{name} {value}"
        for name, value in (body.get("errors") or {}).items()
        if isinstance(value, (str, int, float))
    ]
    message = str(body.get("message") or body.get("status"))
    return f"{message} ({', '.join(beside)})" if beside else message


def _innermost(error: BaseException) -> str:
    """What the lowest layer said; those above repeat it with their own names around it."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return str(reason or error)
