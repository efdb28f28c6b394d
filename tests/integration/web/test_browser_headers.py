"""What answers tell browsers."""

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
def test_every_answer_says_what_browsers_may_not_do(client: FlaskClient, path: str) -> None:
    """Errors too."""
    headers = client.get(path).headers
    assert "nosniff" == headers["X-Content-Type-Options"]
    assert "DENY" == headers["X-Frame-Options"]
    assert "no-referrer" == headers["Referrer-Policy"]
    assert "default-src 'none'; frame-ancestors 'none'" == headers["Content-Security-Policy"]


def test_the_docs_run_their_own_scripts_alone(client: FlaskClient) -> None:
    """Inline ones are named by their hash."""
    answer = client.get("/api/v1/docs")
    policy = answer.headers["Content-Security-Policy"]
    scripts = re.findall(rb"<script>(.*?)</script>", answer.get_data(), re.DOTALL)
    assert scripts
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "script-src 'self' 'sha256-" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]


def test_no_other_page_may_ask_unless_it_is_listed(client: FlaskClient) -> None:
    """No header of CORS at all."""
    answer = client.get(SYMBOLS, headers={"Origin": "http://localhost:3000"})
    assert 200 == answer.status_code
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_listed_origin_may_ask_and_is_told_so_without_a_key(
    serve: Serve, settings: Settings
) -> None:
    """The browser's question beforehand has none; the question itself needs one."""
    changes = {"environment": Environment.PRODUCTION, "api_cors_origins": f"{ORIGIN}, https://b.io"}
    client = serve(settings.model_copy(update=changes))
    asked = client.options(SYMBOLS, headers=PREFLIGHT)
    assert (200, ORIGIN) == (asked.status_code, asked.headers["Access-Control-Allow-Origin"])
    refused = client.get(SYMBOLS, headers={"Origin": ORIGIN})
    assert (401, ORIGIN) == (refused.status_code, refused.headers["Access-Control-Allow-Origin"])
    other = client.options(SYMBOLS, headers={**PREFLIGHT, "Origin": "https://example.com"})
    assert 401 == other.status_code
    assert "Access-Control-Allow-Origin" not in other.headers
