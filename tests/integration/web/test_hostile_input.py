"""Attacks: each is refused with its own 4xx status and changes nothing."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.servers.connections import Mongo
from pocketquant.wiring import Platform

DATA = "/api/v1/market-data"
SYNC = f"{DATA}/sync"
JSON = "application/json"
AAPL = {"symbol": "AAPL", "exchange": "NASDAQ"}
RIGHT = b'{"symbol": "AAPL", "exchange": "NASDAQ"}'

TEXTS = [
    "' OR '1'='1",
    '"; db.dropDatabase(); //',
    "$where: sleep(9999)",
    "{$gt: ''}",
    "A\0B",
    "A\nFLUSHALL",
    "A\r\nSET x 1",
    "../../etc/passwd",
    "..\\..\\windows",
    "%2e%2e%2f",
    "{{7*7}}",
    "${jndi:ldap://x/a}",
    "<script>alert(1)</script>",
    "`id`",
    "$(id)",
    "A;rm -rf /",
    "A|1d",
    "A*",
    "\u202eLPAA",
    "\uff21\uff21\uff30\uff2c",
    "\ud83d\ude00",
    "A" * 65,
    "A" * 1_000_000,
]
VALUES: list[Any] = [
    {"$gt": ""},
    {"$where": "1"},
    {"$regex": ".*"},
    ["AAPL"],
    [],
    {},
    7,
    1e308,
    True,
    None,
]
BODIES = [
    (b"", 400),
    (b"{", 400),
    (b"\0", 400),
    (b"\xff\xfe{\0}\0", 400),
    (b'{"symbol": "\xff"}', 400),
    (b'{"symbol": "\\ud800", "exchange": "NASDAQ"}', 400),
    (b'{"symbol": Infinity}', 400),
    (b'{"n_bars": 1e999}', 400),
    (b"[" * 100_000, 400),
    (b'{"a":' * 1010 + b"1" + b"}" * 1010, 400),
    (b'{"symbol": "AAPL", "symbol": "MSFT", "exchange": "NASDAQ"}', 400),
    (b'{"symbol": "AAPL", "exchange": "NASDAQ", "x": {"a": 1, "a": 2}}', 400),
    (RIGHT + RIGHT, 400),
    (RIGHT + b"//", 400),
    (b"<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///etc/passwd'>", 400),
    (b"\x80\x04\x95cos\nsystem\n(S'id'\ntR.", 400),
    (b'{"n_bars": ' + b"9" * 5000 + b"}", 400),
    (b'{"symbol": "AAPL", "exchange": "NASDAQ", "__proto__": {}}', 422),
    (b'{"symbol": "AAPL", "exchange": "NASDAQ", "$set": {}}', 422),
    (b'"AAPL"', 422),
    (b"7", 422),
    (b"[[[[[]]]]]", 422),
    (b" " * 2_100_000, 413),
]
PATHS = [
    ("/ohlcv/NASDAQ/$where", 422),
    ("/ohlcv/NASDAQ/%00", 422),
    ("/ohlcv/NASDAQ/%0d%0aSet-Cookie:x", 404),
    ("/ohlcv/NASDAQ/..%2f..%2fetc%2fpasswd", 422),
    ("/ohlcv/NASDAQ/%ff", 422),
    ("/ohlcv/%2e%2e/%2e%2e", 422),
    ("/ohlcv/NASDAQ/" + "A" * 20_000, 422),
    ("/ohlcv/NASDAQ/AAPL?interval[$ne]=1d", 422),
    ("/ohlcv/NASDAQ/AAPL?interval=1d%00", 422),
    ("/ohlcv/NASDAQ/AAPL?limit=9999999999999999999999", 422),
    ("/ohlcv/NASDAQ/AAPL?limit=1e3", 422),
    ("/ohlcv/NASDAQ/AAPL?start_date=99999-01-01", 422),
    ("/ohlcv/NASDAQ/AAPL?start_date=' OR 1=1", 422),
    ("/symbols?exchange[$gt]=", 422),
    ("/symbols?page=-1", 422),
    ("/sync-status?page_size=1e9", 422),
    ("/../../../etc/passwd", 404),
    ("/%2e%2e/%2e%2e/etc/passwd", 404),
]
HEADERS = [
    ({"Content-Type": "application/x-python-pickle"}, 415),
    ({"Content-Type": "application/json-evil"}, 415),
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "A" * 10_000}, 415),
    ({"Idempotency-Key": ""}, 422),
    ({"Idempotency-Key": "A" * 201}, 422),
    ({"Idempotency-Key": "a b"}, 422),
    ({"Idempotency-Key": "\N{LATIN SMALL LETTER E WITH ACUTE}"}, 422),
    ({"X-API-Key": "A" * 10_000}, 401),
    ({"X-API-Key": "pq_' OR 1=1_" + "A" * 43}, 401),
    ({"X-API-Key": '{"$gt": ""}'}, 401),
    ({"Authorization": "Bearer " + "A" * 10_000}, 401),
    ({"Authorization": 'Bearer {"$ne":null}'}, 401),
    ({"Host": "evil.example.com"}, 403),
    ({"Origin": "https://evil.example.com"}, 403),
]


@pytest.fixture
def mongo(new_mongo: Mongo) -> Mongo:
    """A database in which each collection is noticed."""
    return new_mongo


def test_the_table_is_long_enough() -> None:
    """There are at least sixty different attacks."""
    assert len(TEXTS) + len(VALUES) + len(BODIES) + len(PATHS) + len(HEADERS) >= 60


@pytest.mark.parametrize("field", ["symbol", "exchange"])
@pytest.mark.parametrize("value", TEXTS + VALUES, ids=lambda value: repr(value)[:30])
def test_a_hostile_name_is_422(
    client: FlaskClient, platform: Platform, field: str, value: object
) -> None:
    """Neither a symbol nor an exchange takes it."""
    answer = client.post(SYNC + "/background", json={**AAPL, field: value})
    assert (422, "invalid_request") == (answer.status_code, answer.get_json()["error"])
    assert len(answer.get_data()) < 2000
    assert [] == platform.mongo.list_collection_names()


@pytest.mark.parametrize(("body", "status"), BODIES, ids=lambda value: repr(value)[:30])
def test_a_hostile_body_is_refused(
    client: FlaskClient, platform: Platform, body: bytes, status: int
) -> None:
    """Each has its status, and no job is made."""
    answer = client.post(SYNC + "/background", data=body, content_type=JSON)
    assert (status, status) == (answer.status_code, answer.get_json()["code"])
    assert [] == platform.mongo.list_collection_names()


@pytest.mark.parametrize(("path", "status"), PATHS, ids=lambda value: repr(value)[:40])
def test_a_hostile_path_is_refused(client: FlaskClient, path: str, status: int) -> None:
    """It reaches no file, no response header and no operator of MongoDB."""
    answer = client.get(DATA + path)
    assert (status, status) == (answer.status_code, answer.get_json()["code"])
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(("headers", "status"), HEADERS, ids=lambda value: repr(value)[:40])
def test_a_hostile_header_is_refused(
    client: FlaskClient, platform: Platform, headers: dict[str, str], status: int
) -> None:
    """It is refused although the body is valid."""
    sent = {"Content-Type": JSON, **headers}
    answer = client.post(SYNC + "/background", data=RIGHT, headers=sent)
    assert (status, status) == (answer.status_code, answer.get_json()["code"])
    assert 0 == platform.mongo["jobs"].count_documents({})
