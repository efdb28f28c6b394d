"""Settings for an operator: variables, error messages, and hidden secrets."""

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
    """Run the command in an empty folder with some variables."""

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
    """`.env.example` lists exactly the existing settings, with their defaults."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert {name.upper() for name in defaults} == set(listed)
    example = Settings.model_validate({name.lower(): text for name, text in listed.items()})
    assert {name: getattr(example, name) for name in defaults} == defaults


@pytest.mark.parametrize(
    ("name", "value", "message"),
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
def test_a_wrong_setting_is_named(run: Run, name: str, value: str, message: str) -> None:
    """One line names the variable and its problem, without a traceback."""
    ended = run("up", **{name: value})
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "planted" not in ended.stderr


def test_a_lease_longer_than_a_fetch_and_its_wait_is_accepted() -> None:
    """The wait for a turn depends on the deadline of a fetch, so short leases are possible."""
    assert 5.0 == Settings(lease_seconds=35.1, provider_timeout_seconds=30).turn_seconds
    assert 1.5 == Settings(lease_seconds=6, provider_timeout_seconds=3).turn_seconds


def test_a_taken_port_is_named(run: Run) -> None:
    """At once, not after a minute of waiting for another program."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("up", API_PORT=port)
    assert ended.returncode == 1
    assert "API_PORT" in ended.stderr


def test_production_requires_the_urls_of_its_servers(run: Run) -> None:
    """No private server is ever started in production."""
    ended = run("up", ENVIRONMENT="production", MONGODB_URL="", REDIS_URL="")
    assert ended.returncode == 1
    assert "MONGODB_URL and REDIS_URL" in ended.stderr


NO_SERVERS = {"MONGODB_URL": "", "REDIS_URL": ""}


@pytest.mark.parametrize(
    ("program", "variables", "message"),
    [
        ("worker", NO_SERVERS, "MONGODB_URL is not set"),
        ("streamer", NO_SERVERS, "MONGODB_URL is not set"),
        ("flower", NO_SERVERS, "MONGODB_URL is not set"),
        ("beat", {"WORKER_SLOTS": "many"}, "WORKER_SLOTS: "),
    ],
)
def test_a_program_without_its_settings_says_so_in_one_line(
    run: Run, program: str, variables: dict[str, str], message: str
) -> None:
    """The program prints no traceback."""
    ended = run(program, **variables)
    assert 1 == ended.returncode
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


def test_the_error_of_a_missing_api_names_the_command_to_start(run: Run) -> None:
    """Commands that call the API name `pocketquant up`."""
    ended = run("bars", "NASDAQ:AAPL", "--url", "http://127.0.0.1:9")
    assert ended.returncode == 1
    assert "pocketquant up" in ended.stderr


def test_a_wrong_symbol_is_named(run: Run) -> None:
    """It is refused before any request."""
    ended = run("bars", "no-colon", "--url", "http://127.0.0.1:9")
    assert "'no-colon' is not EXCHANGE:TICKER" in ended.stderr


def test_secrets_are_not_shown() -> None:
    """Printing settings shows neither password nor token."""
    account = {"tradingview_username": "somebody", "tradingview_password": "planted-1"}
    shown = repr(Settings(**account, tradingview_token="planted-2"))
    assert "planted" not in shown
