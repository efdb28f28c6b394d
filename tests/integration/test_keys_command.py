"""`pocketquant keys`, and the keys and passwords that production requires."""

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
    """Run `pocketquant` on the database of the test."""
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
    """Its secret is printed once; it is neither stored nor listed."""
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


def test_only_the_key_is_on_standard_output(run: Run) -> None:
    """A shell can put it into a variable."""
    made = run("keys", "create", "charts", "--expires-in", "90d")
    assert KeyText.parse(made.stdout.strip())
    assert "of scope read for charts" in made.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("revoke", "0" * 12), 1, "not_found"),
        (("create", "x", "--scope", "root"), 2, "--scope"),
        (("create", " "), 2, "visible characters"),
        (("create", "x\ny"), 2, "visible characters"),
        (("create", "x", "--expires-in", "soon"), 2, "90d"),
    ],
)
def test_a_wrong_call_prints_one_line(
    run: Run, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """It prints no traceback."""
    ended = run("keys", *arguments)
    assert code == ended.returncode
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_keys_need_mongodb(run: Run) -> None:
    """The error differs for a missing setting and a server that does not respond."""
    assert "MONGODB_URL is not set" in run("keys", "list", MONGODB_URL="").stderr
    nowhere = f"mongodb://127.0.0.1:{embedded.reserve_port()}/?serverSelectionTimeoutMS=100"
    assert "storage_unavailable" in run("keys", "list", MONGODB_URL=nowhere).stderr


@pytest.mark.parametrize("command", ["web", "push", "flower", "up"])
def test_production_requires_a_key_and_a_password(run: Run, command: str) -> None:
    """Each program that listens refuses to start without them, and names the remedy."""
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


def test_production_requires_a_key_that_is_not_revoked(run: Run, mongo: Mongo) -> None:
    """A revoked key does not count."""
    run("keys", "create", "first", "--scope", "admin")
    (key,) = ApiKeys(mongo).all()
    run("keys", "revoke", key.id)
    assert "pocketquant keys create" in run("flower", **PRODUCTION).stderr
