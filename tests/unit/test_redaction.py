"""Secrets are struck out of texts and values, and other text is left."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.redaction import Redactor, redactor_for
from pocketquant.settings import Settings

ODD = 'p@s/s"w\\örd%41'
KEY = "pq_0123456789ab_" + "A-_z" * 10 + "xyz"


def redact(text: str, **settings: Any) -> str:
    return redactor_for(Settings(_env_file=None, **settings))(text)


@pytest.mark.parametrize(
    ("text", "struck"),
    [
        ("amqp://guest:hunter2@host:5672//", "amqp://…@host:5672//"),
        ("sentinel://u:p1@a;sentinel://u:p2@b", "sentinel://…@a;sentinel://…@b"),
        ("redis://host/0?db=1&password=hunter2&x=1", "redis://host/0?db=1&password=…&x=1"),
        (
            "mongodb://a/?tlsCertificateKeyFilePassword=x1",
            "mongodb://a/?tlsCertificateKeyFilePassword=…",
        ),
        ("GET /fleet?api_key=hunter2", "GET /fleet?api_key=…"),
        (f"GET /jobs/{KEY}?a=1", "GET /jobs/pq_0123456789ab_…?a=1"),
        (
            "nothing here: 17:03 a@b.c http://host/path",
            "nothing here: 17:03 a@b.c http://host/path",
        ),
    ],
)
def test_text_that_looks_secret_is_struck(text: str, struck: str) -> None:
    """Unknown secrets are struck out where the text around them marks them."""
    assert struck == Redactor()(text)


@pytest.mark.parametrize("name", ["mongodb_url", "redis_url", "cache_url", "celery_broker_url"])
def test_passwords_in_urls_are_known(name: str) -> None:
    """A password of a URL is struck out everywhere, quoted or not; the user's name is not."""
    url = {name: f"redis://someone:{quote(ODD, safe='')}@host:1/0"}
    for form in (ODD, quote(ODD), json.dumps(ODD)[1:-1], repr(ODD)[1:-1]):
        assert "someone said … twice" == redact(f"someone said {form} twice", **url)


def test_each_part_of_an_unquoted_password_is_struck() -> None:
    """Parsers quote the part of the URL at which they failed, so each part is struck out."""
    url = "redis://:hunter2/secret3@host"
    assert "not an integer: '…'" == redact("not an integer: 'hunter2'", redis_url=url)


def test_options_of_urls_are_known() -> None:
    """An option of a URL may be a password."""
    url = "redis://host/0?password=hunter2"
    assert "refused …" == redact("refused hunter2", redis_url=url)


def test_secret_settings_are_known() -> None:
    """Published defaults and very short values are not struck out."""
    assert "a … b" == redact("a hunter2 b", tradingview_token="hunter2")
    assert "pocketquant" == redact("pocketquant", flower_password="pocketquant")
    account = {"tradingview_username": "somebody", "tradingview_password": "abc"}
    assert "abcabc" == redact("abcabc", **account)


@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_is_left(secret: str, before: str, after: str) -> None:
    """Any secret is struck out at any place of a text."""
    assert secret not in Redactor([secret])(before + secret + after) or secret == "…"


def test_values_are_struck_too() -> None:
    """Values without a secret stay as they are, and numbers are never changed."""
    redactor = Redactor(["2026"])
    odd = frozenset({1})
    value = {"year": 2026, "said": ["in 2026", ("2026", None)], "odd": odd, "path": {"2026"}}
    struck = {"year": 2026, "said": ["in …", ["…", None]], "odd": odd, "path": "{'…'}"}
    assert struck == redactor.value(value)
