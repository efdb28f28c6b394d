"""The page's document and files, as browsers and other clients get them."""

import gzip
import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from pocketquant.settings import Environment, Settings

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
VIEWS = [
    "/",
    "/markets",
    "/watch",
    "/schedules",
    "/quality",
    "/keys",
    "/jobs",
    "/jobs/6b03f2a5cf63c1569a9430b4",
    "/chart",
    "/chart/NASDAQ:AAPL",
    "/chart/NYSE:BRK/B",
]

Serve = Callable[..., FlaskClient]


@pytest.mark.parametrize("path", VIEWS)
def test_a_browser_gets_the_page(client: FlaskClient, path: str) -> None:
    """It may load files of this server alone, and be framed by none."""
    answer = client.get(path, headers=BROWSER)
    assert (200, "text/html") == (answer.status_code, answer.mimetype)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "no-cache" == answer.headers["Cache-Control"]
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize("accept", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}])
def test_other_clients_get_the_same_404_as_for_any_unknown_path(
    client: FlaskClient, accept: dict[str, str]
) -> None:
    """Programs that expect JSON notice nothing of the page."""
    for path in VIEWS:
        answer = client.get(path, headers=accept)
        assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])


def test_the_files_may_be_kept_for_ever(client: FlaskClient) -> None:
    """Their URLs change with them; another version is not found."""
    document = client.get("/", headers=BROWSER).get_data(as_text=True)
    found = re.findall(r'(?:src|href)="(/page/[^"]+)"', document)
    assert 3 == len(found)
    for path in found:
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert 200 == answer.status_code
        assert "public, max-age=31536000, immutable" == answer.headers["Cache-Control"]
        assert client.get(path).data == gzip.decompress(answer.data)
    assert 404 == client.get("/page/0123456789abcdef/app.js").status_code
    assert 404 == client.get(found[0].rpartition("/")[0] + "/../app.py").status_code


def test_the_page_needs_no_key_where_the_api_does(serve: Serve, settings: Settings) -> None:
    """The page asks for one; a client without a browser gets 401 as everywhere."""
    client = serve(settings.model_copy(update={"environment": Environment.PRODUCTION}))
    document = client.get("/", headers=BROWSER)
    assert 200 == document.status_code
    (script,) = re.findall(r'src="(/page/[^"]+)"', document.get_data(as_text=True))
    assert 200 == client.get(script).status_code
    for path in ("/", "/page/0123456789abcdef/app.js", "/api/v1/fleet"):
        assert 401 == client.get(path).status_code
    assert 401 == client.post("/", headers=BROWSER).status_code
