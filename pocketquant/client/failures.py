"""Errors of failed requests; their messages say what to do."""

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
    """Whether no connection was made, so that the server received nothing."""
    if isinstance(error, exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def is_broken(error: requests.RequestException) -> bool:
    """Whether a connection broke, so that a new one may succeed."""
    if isinstance(error, (exceptions.SSLError, exceptions.Timeout)):
        return False
    return isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError))


def error_of_request(
    error: requests.RequestException, root: str, timeout_seconds: float
) -> PocketQuantError:
    """Return the error of a request without a complete response."""
    if isinstance(error, _NO_URL):
        return InvalidRequest(f"no request can be sent to {root}: {error}")
    if isinstance(error, exceptions.SSLError):
        return Misconfigured(f"no secure connection to {root}: {_innermost(error)}")
    if isinstance(error, exceptions.ProxyError):
        return Unavailable(f"the proxy before {root} does not answer: {_innermost(error)}")
    if isinstance(error, exceptions.ReadTimeout):
        return Unavailable(f"{root} did not answer within {timeout_seconds:g} s")
    if is_unsent(error):
        return Unavailable(f"no PocketQuant answers at {root}; start one with `pocketquant up`")
    return Unavailable(f"the answer of {root} broke off: {_innermost(error)}")


def error_of_response(response: requests.Response) -> PocketQuantError:
    """Return the error that a response names; Unavailable if a proxy sent it, not PocketQuant."""
    if response.is_redirect:
        to = response.headers["Location"]
        return Misconfigured(f"{response.url} redirects to {to}; give the client that URL")
    body = _document(response)
    if body is None:
        return unexpected_response(response)
    error = error_named(body.get("error", ""), _message(body))
    if isinstance(error, TooManyRequests) and "Retry-After" in response.headers:
        return TooManyRequests(f"{error}; ask again in {response.headers['Retry-After']} s")
    return error


def unexpected_response(response: requests.Response) -> Unavailable:
    """Return the error of a response that cannot come from PocketQuant."""
    kind = response.headers.get("Content-Type", "no type").partition(";")[0]
    begins = " ".join(response.text[: 2 * _MOST_CHARACTERS].split())[:_MOST_CHARACTERS]
    status = f"{response.status_code} {response.reason} with {kind}"
    return Unavailable(f"{response.url} sent {status}, not as a PocketQuant does: {begins!r}")


def missing_library(what: str, library: str, extra: str) -> Misconfigured:
    """Return the error of a call that lacks a library; it names the extra to install."""
    return Misconfigured(f"{what} needs {library}; `pip install 'pocketquant[{extra}]'` brings it")


def _document(response: requests.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return None
    return body if isinstance(body, dict) and "error" in body else None


def _message(body: dict[str, Any]) -> str:
    """Return the message with further details, such as a job id; lists would only repeat it."""
    details = [
        f"{name} {value}"
        for name, value in (body.get("errors") or {}).items()
        if isinstance(value, (str, int, float))
    ]
    message = str(body.get("message") or body.get("status"))
    return f"{message} ({', '.join(details)})" if details else message


def _innermost(error: BaseException) -> str:
    """Return the message of the lowest layer, which the layers above only wrap."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return str(reason or error)
