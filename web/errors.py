"""Errors → answers: one table from classes to statuses, one document for all of them."""

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
    NoPermission,
    NotFound,
    PocketQuantError,
    ProviderDown,
    ProviderTimeout,
    Rejected,
    SlowRequest,
    StorageUnavailable,
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
    Conflict: HTTPStatus.CONFLICT,
    Cancelled: HTTPStatus.CONFLICT,
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
_SPEAKS_FOR_ITSELF = (Rejected, Unavailable, Misconfigured, AttemptsExhausted)
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
    """No answer of this application quotes a secret that the redactor knows."""
    app.extensions[_REDACTOR] = redactor


def answer(error: PocketQuantError, **details: object) -> Response:
    """The answer to a request that met `error`; a class without a status has its parent's."""
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    headers = _HEADERS_OF.get(status, {})
    return _answer(status, error.code, _public_message(error), details, headers)


class Api(flask_smorest.Api):
    """flask-smorest's API, whose errors are all alike, foreseen or not."""

    ERROR_SCHEMA = schema_of(ErrorOut)

    def _register_pagination_header(self) -> None:
        """Nothing: `web.paging` documents the header where it is sent."""

    def _register_error_handlers(self) -> None:
        super()._register_error_handlers()
        app: Flask = self._app
        app.register_error_handler(PocketQuantError, _on_named_error)
        app.register_error_handler(Exception, _on_unforeseen_error)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """The answer to what Flask, webargs and flask-smorest refuse."""
        status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        said: Mapping[str, Any] = getattr(error, "data", None) or {}
        problems: dict[str, Any] = said.get("messages", {})
        message = said.get("message") or _sentence(problems) or error.description or ""
        headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
        return _answer(status, _CODES.get(status, "refused"), message, problems, headers)


def _on_named_error(error: PocketQuantError) -> Response:
    response = answer(error)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("request_failed", code=error.code, cause=str(error))
    return response


def _on_unforeseen_error(error: Exception) -> Response:
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
    """That of the application, if one is asked."""
    found = current_app.extensions.get(_REDACTOR) if has_app_context() else None
    return cast(Redactor, found or Redactor())


def _public_message(error: PocketQuantError) -> str:
    """What a caller may read: not where our servers are, not what broke inside."""
    if isinstance(error, StorageUnavailable):
        return str(error).partition(":")[0]
    return str(error) if isinstance(error, _SPEAKS_FOR_ITSELF) else _INTERNAL


def _sentence(problems: Mapping[str, Any]) -> str:
    """`n_bars: Input should be …; symbol: Field required`."""
    found = [problem for place in problems.values() for problem in place]
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'request'}: {problem['msg']}" for problem in found
    )
