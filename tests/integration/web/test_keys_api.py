"""Keys over HTTP: made, listed and revoked, and the rights of the key that is used."""

import json
import re
import time
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocketquant.servers.connections import wait_until
from pocketquant.storage.access import KeyText, Scope
from pocketquant.storage.api_keys import ApiKeys
from web.guard.keyring import FRESH_SECONDS

KEYS = "/api/v1/keys"
CURRENT = f"{KEYS}/current"
PLANTED = '<img src="x" onerror="alert(1)">'


@pytest.fixture
def admin(keys: ApiKeys) -> dict[str, str]:
    """The header of an admin key."""
    return sent(keys.create("an admin", Scope.ADMIN, int(time.time()))[1])


def sent(text: object) -> dict[str, str]:
    return {"X-API-Key": str(text)}


def own_id(headers: dict[str, str]) -> str:
    return headers["X-API-Key"].split("_")[1]


def made(client: FlaskClient, headers: dict[str, str] | None = None, **body: object) -> Any:
    answer = client.post(KEYS, json={"name": "charts", **body}, headers=headers)
    assert 201 == answer.status_code, answer.get_json()
    return answer.get_json()


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_key_is_made_used_listed_and_revoked(
    guarded: FlaskClient, admin: dict[str, str], keys: ApiKeys
) -> None:
    """Its text is answered once; only its hash is stored; a revoked key is still listed."""
    key = made(guarded, admin, scope="sync", expires_in_seconds=3600)
    text = KeyText.parse(key.pop("key"))
    assert text
    stored = keys.get(text.id)
    assert stored
    assert stored.is_opened_by(text)
    assert 3600 == seconds(key["expires_at"]) - seconds(key["created_at"])
    times = {"created_at", "expires_at"}
    rest = {name: value for name, value in key.items() if name not in times}
    expected = {"id": text.id, "name": "charts", "scope": "sync", "live": True}
    assert {**expected, "revoked_at": None, "last_used_at": None} == rest

    current = guarded.get(CURRENT, headers=sent(text)).get_json()
    assert {name: key[name] for name in ("scope", "id", "name", "expires_at")} == current

    def listed() -> Any:
        found = guarded.get(KEYS, headers=admin).get_json()
        return next(one for one in found if one["id"] == text.id)

    used_at = listed()["last_used_at"]
    assert used_at
    assert {**key, "last_used_at": used_at} == listed()
    revoked = guarded.delete(f"{KEYS}/{text.id}", headers=admin)
    assert (200, False) == (revoked.status_code, revoked.get_json()["live"])
    assert revoked.get_json() == listed()
    wait_until(
        "it is refused",
        lambda: guarded.get(CURRENT, headers=sent(text)).status_code == 401,
        (),
        FRESH_SECONDS + 5,
    )


def test_a_key_reads_for_ever_unless_the_request_says_more(
    guarded: FlaskClient, admin: dict[str, str]
) -> None:
    """As on the command line, the scope is `read` and the key does not expire."""
    key = made(guarded, admin)
    assert ("read", None) == (key["scope"], key["expires_at"])


def test_a_text_of_a_key_is_answered_once_and_kept_nowhere(
    guarded: FlaskClient, admin: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """No cache stores an answer about keys, and the log names keys without their secret."""
    answer = guarded.post(KEYS, json={"name": PLANTED, "scope": "admin"}, headers=admin)
    text = KeyText.parse(answer.get_json()["key"])
    assert text
    others = [
        guarded.get(KEYS, headers=admin),
        guarded.get(CURRENT, headers=sent(text)),
        guarded.delete(f"{KEYS}/{text.id}", headers=admin),
        guarded.delete(f"{KEYS}/{text}", headers=admin),
    ]
    assert [200, 200, 200, 404] == [each.status_code for each in others]
    for each in [answer, *others[:3]]:
        assert "no-store" == each.headers["Cache-Control"]
        assert "ETag" not in each.headers
    assert [] == [each.status_code for each in others if text.secret[:9] in each.text]
    logged = capfd.readouterr().err
    assert re.search(f"key_made .*api_key={own_id(admin)} made={text.id} ", logged)
    assert re.search(f"key_revoked .*api_key={own_id(admin)} .*revoked={text.id}", logged)
    assert text.secret[:9] not in logged


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "a" * 81}, "name"),
        ({"name": 7}, "name"),
        ({"name": {"$gt": ""}}, "name"),
        ({"name": "x", "scope": "root"}, "scope"),
        ({"name": "x", "scope": ["admin"]}, "scope"),
        ({"name": "x", "scope": None}, "scope"),
        ({"name": "x", "expires_in_seconds": 59}, "expires_in_seconds"),
        ({"name": "x", "expires_in_seconds": -1}, "expires_in_seconds"),
        ({"name": "x", "expires_in_seconds": 99_999 * 86_400 + 1}, "expires_in_seconds"),
        ({"name": "x", "expires_in_seconds": 1e300}, "expires_in_seconds"),
        ({"name": "x", "expires_in_seconds": "90d"}, "expires_in_seconds"),
        ({"name": "x", "expires_in_seconds": True}, "expires_in_seconds"),
        ({"name": "x", "fingerprint": "x"}, "fingerprint"),
        ({"name": "x", "id": "0" * 12}, "id"),
    ],
)
def test_a_wrong_request_makes_no_key(
    client: FlaskClient, keys: ApiKeys, body: dict[str, object], where: str
) -> None:
    """The rules are those of the command line; the error names the field."""
    answer = client.post(KEYS, json=body)
    assert (422, "invalid_request") == (answer.status_code, answer.get_json()["error"])
    assert [where] == [one["loc"][0] for one in answer.get_json()["errors"]["json"]]
    assert [] == keys.all()


@pytest.mark.parametrize("key_id", ["0" * 12, "current", "$where", "x" * 500, "%00", "pq_1_2"])
def test_an_unknown_key_is_404(
    guarded: FlaskClient, admin: dict[str, str], keys: ApiKeys, key_id: str
) -> None:
    """Nothing is revoked."""
    answer = guarded.delete(f"{KEYS}/{key_id}", headers=admin)
    assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])
    assert [None] == [key.revoked_at for key in keys.all()]


def test_a_key_that_is_revoked_again_keeps_its_time(
    guarded: FlaskClient, admin: dict[str, str], keys: ApiKeys
) -> None:
    """The second answer is like the first."""
    key, _ = keys.create("old", Scope.READ, now=1000)
    keys.revoke(key.id, now=2000)
    answers = [guarded.delete(f"{KEYS}/{key.id}", headers=admin) for _ in range(2)]
    assert ["1970-01-01T00:33:20Z"] * 2 == [each.get_json()["revoked_at"] for each in answers]


def test_a_key_cannot_revoke_itself(
    guarded: FlaskClient, admin: dict[str, str], keys: ApiKeys
) -> None:
    """So the last admin key cannot go by mistake; another admin key can revoke it."""
    own = own_id(admin)
    refused = guarded.delete(f"{KEYS}/{own}", headers=admin)
    assert (409, "conflict") == (refused.status_code, refused.get_json()["error"])
    assert "pocketquant keys revoke" in refused.get_json()["message"]
    assert 200 == guarded.get(KEYS, headers=admin).status_code
    other = made(guarded, admin, scope="admin")["key"]
    assert 200 == guarded.delete(f"{KEYS}/{own}", headers=sent(other)).status_code
    assert [own] == [key.id for key in keys.all() if key.revoked_at]


def test_on_this_machine_in_development_keys_change_nothing(client: FlaskClient) -> None:
    """Requests without a key may do everything before and after a first key is made."""
    free = {"scope": "admin", "id": None, "name": None, "expires_at": None}
    assert free == client.get(CURRENT).get_json()
    key = made(client, scope="read")
    assert free == client.get(CURRENT).get_json()
    assert "read" == client.get(CURRENT, headers=sent(key["key"])).get_json()["scope"]
    assert 403 == client.post(KEYS, json={"name": "x"}, headers=sent(key["key"])).status_code
    assert 200 == client.delete(f"{KEYS}/{key['id']}").status_code
    assert free == client.get(CURRENT).get_json()


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SYNC])
def test_other_keys_see_and_change_no_key(
    guarded: FlaskClient, keys: ApiKeys, scope: Scope
) -> None:
    """Not even themselves, beside their own rights."""
    _, text = keys.create("small", scope, int(time.time()))
    id_of_admin = keys.create("an admin", Scope.ADMIN, int(time.time()))[0].id
    answers: list[TestResponse] = [
        guarded.get(KEYS, headers=sent(text)),
        guarded.post(KEYS, json={"name": "x", "scope": "read"}, headers=sent(text)),
        guarded.delete(f"{KEYS}/{id_of_admin}", headers=sent(text)),
        guarded.delete(f"{KEYS}/{text.id}", headers=sent(text)),
    ]
    assert [403] * 4 == [each.status_code for each in answers]
    assert [None, None] == [key.revoked_at for key in keys.all()]
    assert scope == guarded.get(CURRENT, headers=sent(text)).get_json()["scope"]


def test_keys_are_listed_in_pages_the_newest_first(client: FlaskClient, keys: ApiKeys) -> None:
    """`live` chooses those that work now, or the others."""
    ids = [keys.create(f"key {now}", Scope.READ, now)[0].id for now in (1000, 2000, 3000)]
    expired = keys.create("expired", Scope.READ, now=4000, expires_at=5000)[0].id
    keys.revoke(ids[1], now=6000)

    def listed(**query: object) -> list[str]:
        return [key["id"] for key in client.get(KEYS, query_string=query).get_json()]

    assert [expired, ids[2], ids[1], ids[0]] == listed()
    assert [ids[2], ids[0]] == listed(live="true")
    assert [expired, ids[1]] == listed(live="false")
    assert [ids[1]] == listed(page=3, page_size=1)
    answer = client.get(KEYS, query_string={"page_size": 3})
    pagination = json.loads(answer.headers["X-Pagination"])
    assert (4, 2) == (pagination["total"], pagination["total_pages"])
    assert 422 == client.get(f"{KEYS}?scope=read").status_code
