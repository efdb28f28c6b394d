"""Commands in texts for people."""

import sys
from pathlib import Path

import pytest

from pocketquant.hints import as_typed

TEXT = "`pocketquant jobs` shows them; pocketquant has none"


def test_a_command_that_is_not_on_path_is_named_by_its_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Hints begin with the path that the user typed, such as `.venv/bin/pocketquant`."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [".venv/bin/pocketquant", "sync"])
    expected = "`.venv/bin/pocketquant jobs` shows them; pocketquant has none"
    assert expected == as_typed(TEXT)


def test_a_command_on_path_is_named_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After an installation for all folders, hints are short."""
    program = tmp_path / "pocketquant"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert TEXT == as_typed(TEXT)


def test_other_programs_name_the_command_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program of the user's own, which calls the client, has no command to show."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["notebook.py"])
    assert TEXT == as_typed(TEXT)
