"""Settings as an operator meets them: variables, messages, and no secret shown."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketquant.settings import Settings

POCKETQUANT = str(Path(sys.executable).parent / "pocketquant")
ROOT = Path(__file__).parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command in an empty folder with some variables set."""

    def run_with(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [POCKETQUANT, *arguments],
            env={**os.environ, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_with


def test_every_setting_is_in_the_example_with_its_default() -> None:
    """`.env.example` lists exactly the settings there are, and their defaults."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert {name.upper() for name in defaults} == set(listed)
    example = Settings.model_validate({name.lower(): text for name, text in listed.items()})
    assert {name: getattr(example, name) for name in defaults} == defaults


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WORKERS", "none", "WORKERS"),
        ("API_PORT", "70000", "API_PORT"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL"),
        ("LEASE_SECONDS", "20", "LEASE_SECONDS must exceed PROVIDER_TIMEOUT_SECONDS"),
        ("LEASE_SECONDS", "35", "set it above 35, or PROVIDER_TIMEOUT_SECONDS lower"),
        ("TRADINGVIEW_USERNAME", "somebody", "TRADINGVIEW_PASSWORD go together"),
        ("TRADINGVIEW_PASSWORD", "planted-1", "TRADINGVIEW_USERNAME and"),
    ],
)
def test_a_wrong_setting_is_named(run: Run, name: str, value: str, said: str) -> None:
    """One line with the variable and what is wrong with it; no traceback."""
    ended = run("up", **{name: value})
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "planted" not in ended.stderr


def test_a_lease_that_outlasts_a_fetch_and_its_wait_is_taken() -> None:
    """The wait for a turn is bounded with the fetch's deadline, so short leases stay possible."""
    assert 5.0 == Settings(lease_seconds=35.1, provider_timeout_seconds=30).turn_seconds
    assert 1.5 == Settings(lease_seconds=6, provider_timeout_seconds=3).turn_seconds


def test_a_port_that_is_taken_is_named(run: Run) -> None:
    """Said at once, not after a minute of waiting for somebody else's server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("up", API_PORT=port)
    assert ended.returncode == 1
    assert "API_PORT" in ended.stderr


def test_production_wants_servers_of_its_own(run: Run) -> None:
    """No private server is ever started in production."""
    ended = run("up", ENVIRONMENT="production", MONGODB_URL="", REDIS_URL="")
    assert ended.returncode == 1
    assert "MONGODB_URL and REDIS_URL" in ended.stderr


def test_a_missing_api_says_what_to_start(run: Run) -> None:
    """The client commands name the remedy."""
    ended = run("bars", "NASDAQ:AAPL", "--url", "http://127.0.0.1:9")
    assert ended.returncode == 1
    assert "pocketquant up" in ended.stderr


def test_a_wrong_symbol_is_named(run: Run) -> None:
    """The text is refused before anything is asked."""
    ended = run("bars", "no-colon", "--url", "http://127.0.0.1:9")
    assert "'no-colon' is not EXCHANGE:TICKER" in ended.stderr


def test_secrets_are_not_shown() -> None:
    """Printing settings shows neither password nor token."""
    account = {"tradingview_username": "somebody", "tradingview_password": "planted-1"}
    shown = repr(Settings(**account, tradingview_token="planted-2"))
    assert "planted" not in shown
