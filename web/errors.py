"""Errors → responses: a table of the status of each class, and one form of body for all."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import flask_smorest
import structlog
from flask import Flask, Response, current_app, has_app_context, json
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from pocketquant.domain.errors import (
    AttemptsExhausted,
    Cancelled,
    Conflict,
    Forbidden,
    InternalError,
    InvalidRequest,
    Misconfigured,
    NoLiveQuote,
    NoLongerKept,
    NoPermission,
    NotFound,
    PocketQuantError,
    ProviderDown,
    ProviderTimeout,
    Rejected,
    SlowRequest,
    StorageUnavailable,
    SuspectHistory,
    TooManyBodies,
    TooManyExports,
    TooManyRequests,
    TooManySearches,
    TooManyStreams,
    Unauthorized,
    Unavailable,
    UnknownSymbol,
)
from pocketquant.redaction import Redactor
from web.schemas.errors import ErrorOut
from web.smorest_pydantic import schema_of

STATUS_OF: dict[type[PocketQuantError], HTTPStatus] = {
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    SlowRequest: HTTPStatus.REQUEST_TIMEOUT,
    UnknownSymbol: HTTPStatus.NOT_FOUND,
    NotFound: HTTPStatus.NOT_FOUND,
    NoLongerKept: HTTPStatus.GONE,
    Conflict: HTTPStatus.CONFLICT,
    Cancelled: HTTPStatus.CONFLICT,
    SuspectHistory: HTTPStatus.CONFLICT,
    NoPermission: HTTPStatus.FORBIDDEN,
    Rejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProviderTimeout: HTTPStatus.GATEWAY_TIMEOUT,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    NoLiveQuote: HTTPStatus.SERVICE_UNAVAILABLE,
    ProviderDown: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyStreams: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyExports: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyBodies: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManySearches: HTTPStatus.SERVICE_UNAVAILABLE,
    Unavailable: HTTPStatus.BAD_GATEWAY,
    Misconfigured: HTTPStatus.BAD_GATEWAY,
    PocketQuantError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_HEADERS_OF = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="PocketQuant"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "5"},
    HTTPStatus.REQUEST_TIMEOUT: {"Connection": "close"},
}
_WITH_PUBLIC_MESSAGE = (Rejected, Unavailable, Misconfigured, AttemptsExhausted)
_INTERNAL = "an error of the server; its log has the details under the request's id"
_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.NOT_FOUND: NotFound.code,
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidRequest.code,
    HTTPStatus.INTERNAL_SERVER_ERROR: InternalError.code,
}

_REDACTOR = "redactor"

_log = structlog.get_logger(__name__)


def install(app: Flask, redactor: Redactor) -> None:
    """Strike secrets out of all error responses of the app."""
    app.extensions[_REDACTOR] = redactor


def answer(error: PocketQuantError, **details: object) -> Response:
    """Return the response for an error; a class without a status of its own has its parent's."""
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    headers = _HEADERS_OF.get(status, {})
    return _answer(status, error.code, _public_message(error), details, headers)


class Api(flask_smorest.Api):
    """flask-smorest's Api, with the same form of response for expected and unexpected errors."""

    ERROR_SCHEMA = schema_of(ErrorOut)

    def _register_pagination_header(self) -> None:
        """Do not document the header everywhere; `web.paging` does it where it is sent."""

    def _register_error_handlers(self) -> None:
        super()._register_error_handlers()
        app: Flask = self._app
        app.register_error_handler(PocketQuantError, _on_known_error)
        app.register_error_handler(Exception, _on_unexpected_error)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Return the response for a request refused by Flask, webargs or flask-smorest."""
        status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        data: Mapping[str, Any] = getattr(error, "data", None) or {}
        problems: dict[str, Any] = data.get("messages", {})
        message = data.get("message") or _sentence(problems) or error.description or ""
        headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
        return _answer(status, _CODES.get(status, "refused"), message, problems, headers)


def _on_known_error(error: PocketQuantError) -> Response:
    response = answer(error)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("request_failed", code=error.code, cause=str(error))
    return response


def _on_unexpected_error(error: Exception) -> Response:
    _log.error("request_crashed", exc_info=error)
    return answer(InternalError())


def _answer(
    status: HTTPStatus,
    code: str,
    message: str,
    errors: Mapping[str, object],
    headers: Mapping[str, str],
) -> Response:
    redactor = _redactor()
    document = {
        "code": status.value,
        "status": HTTP_STATUS_CODES[status],
        "error": code,
        "message": redactor(message),
        "errors": redactor.value(errors),
    }
    return Response(json.dumps(document), status, headers, mimetype="application/json")


def _redactor() -> Redactor:
    """Return the app's redactor; outside of an app one that knows no secrets."""
    found = current_app.extensions.get(_REDACTOR) if has_app_context() else None
    return cast(Redactor, found or Redactor())


def _public_message(error: PocketQuantError) -> str:
    """Return the message without server addresses and internal details."""
    if isinstance(error, StorageUnavailable):
        return str(error).partition(":")[0]
    return str(error) if isinstance(error, _WITH_PUBLIC_MESSAGE) else _INTERNAL


def _sentence(problems: Mapping[str, Any]) -> str:
    """Join validation problems: `n_bars: Input should be …; symbol: Field required`."""
    found = [problem for location in problems.values() for problem in location]
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'request'}: {problem['msg']}" for problem in found
    )
