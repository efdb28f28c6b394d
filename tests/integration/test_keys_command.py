"""`pocketquant keys`, and what production wants before it listens."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketquant.machine import embedded
from pocketquant.servers.connections import Mongo
from pocketquant.storage.access import KeyText, Scope
from pocketquant.storage.api_keys import ApiKeys

POCKETQUANT = str(Path(sys.executable).parent / "pocketquant")
PRODUCTION = {"ENVIRONMENT": "production", "FLOWER_PASSWORD": "one of our own"}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(mongodb_url: str, redis_url: str, mongo: Mongo, tmp_path: Path) -> Run:
    """Runs `pocketquant` on the test's own database."""
    servers = {"MONGODB_URL": mongodb_url, "REDIS_URL": redis_url, "MONGODB_DATABASE": mongo.name}

    def run_with(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [POCKETQUANT, *arguments],
            env={**os.environ, **servers, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_with


def test_a_key_is_made_listed_and_revoked(run: Run, mongo: Mongo) -> None:
    """Its text is shown once; what is stored and listed opens nothing."""
    made = json.loads(run("keys", "create", "charts", "--scope", "sync", "--json").stdout)
    text = KeyText.parse(made["key"])
    assert text
    store = ApiKeys(mongo)
    key = store.get(text.id)
    assert key
    assert key.is_opened_by(text)
    assert ("charts", Scope.SYNC) == (key.name, key.scope)
    assert text.secret not in str(mongo["api_keys"].find_one())
    listed = run("keys", "list", "--json").stdout
    assert [made["id"]] == [one["id"] for one in json.loads(listed)]
    assert text.secret not in listed
    revoked = run("keys", "revoke", text.id)
    assert f"Key {text.id} of charts is revoked.\n" == revoked.stdout
    (shown,) = json.loads(run("keys", "list", "--json").stdout)
    assert shown["revoked_at"]
    assert "charts" in run("keys", "list").stdout


def test_for_people_only_the_key_is_on_standard_output(run: Run) -> None:
    """So that it can be put into a variable."""
    made = run("keys", "create", "charts", "--expires-in", "90d")
    assert KeyText.parse(made.stdout.strip())
    assert "of scope read for charts" in made.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("revoke", "0" * 12), 1, "not_found"),
        (("create", "x", "--scope", "root"), 2, "--scope"),
        (("create", " "), 2, "visible characters"),
        (("create", "x\ny"), 2, "visible characters"),
        (("create", "x", "--expires-in", "soon"), 2, "90d"),
    ],
)
def test_what_is_wrong_is_one_line(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """No traceback."""
    ended = run("keys", *arguments)
    assert code == ended.returncode
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_keys_want_mongodb(run: Run) -> None:
    """Named, where it is not set and where it does not answer."""
    assert "MONGODB_URL is not set" in run("keys", "list", MONGODB_URL="").stderr
    nowhere = f"mongodb://127.0.0.1:{embedded.reserve_port()}/?serverSelectionTimeoutMS=100"
    assert "storage_unavailable" in run("keys", "list", MONGODB_URL=nowhere).stderr


@pytest.mark.parametrize("command", ["web", "push", "flower", "up"])
def test_production_wants_a_key_and_a_password_of_its_own(run: Run, command: str) -> None:
    """Each that listens refuses to start, and says which command mends it."""
    variables = {
        "API_PORT": str(embedded.reserve_port()),
        "PUSH_PORT": str(embedded.reserve_port()),
        "FLOWER_PORT": str(embedded.reserve_port()),
    }
    keyless = run(command, **PRODUCTION, **variables)
    assert 1 == keyless.returncode
    assert "pocketquant keys create" in keyless.stderr
    run("keys", "create", "first", "--scope", "admin")
    for password in ("pocketquant", ""):
        guessable = run(command, **{**PRODUCTION, "FLOWER_PASSWORD": password}, **variables)
        assert 1 == guessable.returncode
        assert "FLOWER_PASSWORD" in guessable.stderr
        assert "Traceback" not in guessable.stderr


def test_a_revoked_key_is_no_key_for_production(run: Run, mongo: Mongo) -> None:
    """One that lives is wanted."""
    run("keys", "create", "first", "--scope", "admin")
    (key,) = ApiKeys(mongo).all()
    run("keys", "revoke", key.id)
    assert "pocketquant keys create" in run("flower", **PRODUCTION).stderr
