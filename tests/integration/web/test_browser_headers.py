"""Response headers for browsers: security headers and CORS."""

import base64
import hashlib
import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from pocketquant.settings import Environment, Settings

SYMBOLS = "/api/v1/market-data/symbols"
ORIGIN = "https://charts.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Origin": ORIGIN}

Serve = Callable[..., FlaskClient]


@pytest.mark.parametrize("path", [SYMBOLS, "/nowhere", "/metrics", "/health/live"])
def test_every_response_has_security_headers(client: FlaskClient, path: str) -> None:
    """Error responses have them too."""
    headers = client.get(path).headers
    assert "nosniff" == headers["X-Content-Type-Options"]
    assert "DENY" == headers["X-Frame-Options"]
    assert "no-referrer" == headers["Referrer-Policy"]
    assert "default-src 'none'; frame-ancestors 'none'" == headers["Content-Security-Policy"]


def test_the_docs_allow_only_their_own_scripts(client: FlaskClient) -> None:
    """Inline scripts are allowed by their hash."""
    answer = client.get("/api/v1/docs")
    policy = answer.headers["Content-Security-Policy"]
    scripts = re.findall(rb"<script>(.*?)</script>", answer.get_data(), re.DOTALL)
    assert scripts
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "script-src 'self' 'sha256-" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]


def test_an_unlisted_origin_gets_no_cors_header(client: FlaskClient) -> None:
    """The request itself is served."""
    answer = client.get(SYMBOLS, headers={"Origin": "http://localhost:3000"})
    assert 200 == answer.status_code
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_listed_origin_passes_the_preflight_without_a_key(
    serve: Serve, settings: Settings
) -> None:
    """Browsers send no key with a preflight; the request after it needs one."""
    changes = {"environment": Environment.PRODUCTION, "api_cors_origins": f"{ORIGIN}, https://b.io"}
    client = serve(settings.model_copy(update=changes))
    allowed = client.options(SYMBOLS, headers=PREFLIGHT)
    assert (200, ORIGIN) == (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"])
    refused = client.get(SYMBOLS, headers={"Origin": ORIGIN})
    assert (401, ORIGIN) == (refused.status_code, refused.headers["Access-Control-Allow-Origin"])
    other = client.options(SYMBOLS, headers={**PREFLIGHT, "Origin": "https://example.com"})
    assert 401 == other.status_code
    assert "Access-Control-Allow-Origin" not in other.headers
