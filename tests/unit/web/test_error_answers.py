"""Errors → responses."""

import pytest
from flask import Flask

from pocketquant.domain import errors as domain
from web.errors import Api, answer

EXPECTED = {
    domain.UnknownSymbol: 404,
    domain.NotFound: 404,
    domain.Unauthorized: 401,
    domain.Forbidden: 403,
    domain.TooManyRequests: 429,
    domain.SlowRequest: 408,
    domain.NoPermission: 403,
    domain.InvalidSymbol: 422,
    domain.InvalidInterval: 422,
    domain.InvalidRequest: 422,
    domain.InvalidCalendar: 422,
    domain.UnsupportedInterval: 422,
    domain.VariantNotAllowed: 422,
    domain.KeyReused: 422,
    domain.Rejected: 422,
    domain.NoLongerKept: 410,
    domain.Conflict: 409,
    domain.SuspectHistory: 409,
    domain.Cancelled: 409,
    domain.ProviderTimeout: 504,
    domain.StorageUnavailable: 503,
    domain.ProviderDown: 503,
    domain.NoLiveQuote: 503,
    domain.TooManyStreams: 503,
    domain.TooManyExports: 503,
    domain.TooManyBodies: 503,
    domain.TooManySearches: 503,
    domain.ConnectionLost: 502,
    domain.RateLimited: 502,
    domain.HandshakeRefused: 502,
    domain.ProviderFault: 502,
    domain.ProtocolViolation: 502,
    domain.BarsRefused: 502,
    domain.LeaseLost: 502,
    domain.Unavailable: 502,
    domain.BadToken: 502,
    domain.CaptchaRequired: 502,
    domain.TwoFactorRequired: 502,
    domain.SignInFailed: 502,
    domain.InvalidSettings: 502,
    domain.Misconfigured: 502,
    domain.InternalError: 500,
    domain.AttemptsExhausted: 500,
    domain.PocketQuantError: 500,
}


def family(kind: type[domain.PocketQuantError]) -> set[type[domain.PocketQuantError]]:
    return {kind}.union(*(family(child) for child in kind.__subclasses__()))


def test_every_error_is_in_this_table() -> None:
    """A new error class has to declare its status here."""
    assert family(domain.PocketQuantError) == EXPECTED.keys()


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_a_class_has_its_status_and_code(kind: type[domain.PocketQuantError]) -> None:
    """The status is that of the table, `error` has the stable code, `errors` the details."""
    response = answer(kind("why"), job_id="7")
    document = response.get_json()
    assert EXPECTED[kind] == response.status_code == document["code"]
    assert (kind.code, {"job_id": "7"}) == (document["error"], document["errors"])


def test_missing_storage_is_503_with_retry_after_and_no_address() -> None:
    """Addresses of our servers stay in the log."""
    response = answer(domain.StorageUnavailable("MongoDB does not answer: db.internal:27017: …"))
    assert response.headers["Retry-After"] == "5"
    assert response.get_json()["message"] == "MongoDB does not answer"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (domain.UnknownSymbol("X:Y is unknown"), "X:Y is unknown"),
        (domain.CaptchaRequired("set TRADINGVIEW_TOKEN"), "set TRADINGVIEW_TOKEN"),
        (domain.AttemptsExhausted("8 attempts died"), "8 attempts died"),
        (domain.InternalError("KeyError: secret"), "an error of the server; its log has"),
        (domain.PocketQuantError("secret"), "an error of the server; its log has"),
    ],
)
def test_messages_of_defects_are_hidden(error: domain.PocketQuantError, expected: str) -> None:
    """A message that a caller or operator can act on is shown."""
    assert answer(error).get_json()["message"].startswith(expected)


@pytest.fixture
def app() -> Flask:
    made = Flask("errors")
    made.config.update(
        API_TITLE="t", API_VERSION="1", OPENAPI_VERSION="3.1.0", MAX_CONTENT_LENGTH=10
    )
    Api(made)

    @made.post("/body")
    def body() -> str:
        from flask import request

        return request.get_data(as_text=True)

    @made.get("/crash")
    def crash() -> str:
        raise KeyError("secret")

    return made


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/body", 405, "method_not_allowed"),
        ("POST", "/body", 413, "request_too_large"),
        ("GET", "/crash", 500, "internal_error"),
    ],
)
def test_flasks_own_errors_have_the_usual_body(
    app: Flask, method: str, path: str, status: int, code: str
) -> None:
    """Routes, methods, sizes and crashes get the same form of body, without internals."""
    response = app.test_client().open(path, method=method, data=b"x" * 11)
    document = response.get_json()
    assert (status, code) == (response.status_code, document["error"])
    assert {"code", "status", "error", "message", "errors"} == document.keys()
    assert "secret" not in response.get_data(as_text=True)


def test_a_wrong_method_is_405_with_allow(app: Flask) -> None:
    """Allow names the right methods."""
    assert "POST" in app.test_client().get("/body").headers["Allow"]
