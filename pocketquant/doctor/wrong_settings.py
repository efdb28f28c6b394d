"""Check the settings, and complete them by defaults so that other checks can run."""

from collections.abc import Iterator
from difflib import get_close_matches
from enum import EnumType
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from pocketquant.doctor.findings import Finding, broken, ok, warning
from pocketquant.settings import Settings

_CHECK = "settings"
# Settings that can contradict each other, and the remedy.
_CONTRADICTIONS = {
    ("lease_seconds", "provider_timeout_seconds"): "raise LEASE_SECONDS, 60 by default",
    ("tradingview_username", "tradingview_password"): "set both, or neither",
}
_SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


def read_settings() -> tuple[Settings, list[Finding]]:
    """Return the settings with the default in place of each wrong one, and the findings."""
    try:
        settings, findings = Settings(), []
    except ValidationError as error:
        findings = [_finding(problem) for problem in error.errors()]
        names = {str(problem["loc"][0]).lower() for problem in error.errors() if problem["loc"]}
        settings = _with_defaults(names)
    findings += _misspelt(Path(".env"))
    return settings, findings or [ok(_CHECK, "all are valid")]


def _with_defaults(names: set[str]) -> Settings:
    fields = Settings.model_fields
    defaults = {name: fields[name].default for name in names if name in fields}
    try:
        return Settings(**defaults)
    except ValidationError:  # each is valid, but not together
        together = {name: fields[name].default for names in _CONTRADICTIONS for name in names}
        return Settings(**(defaults | together))


def _finding(problem: Any) -> Finding:
    if not problem["loc"]:
        named = (names for names in _CONTRADICTIONS if names[0].upper() in problem["msg"])
        return broken(_CHECK, problem["msg"], _CONTRADICTIONS[next(named)])
    name = str(problem["loc"][0]).lower()
    allowed = _allowed(name)
    return broken(
        f"{_CHECK}: {name.upper()}",
        problem["msg"],
        f"set {name.upper()} to {allowed}; the default is {Settings.model_fields[name].default}",
    )


def _allowed(name: str) -> str:
    """Return the allowed values of a setting as text."""
    field = Settings.model_fields[name]
    kind = field.annotation
    if isinstance(kind, EnumType):
        return f"one of {', '.join(str(each) for each in kind)}"
    limits = [
        f"{sign} {getattr(one, limit)}"
        for one in field.metadata
        for limit, sign in _SIGNS.items()
        if hasattr(one, limit)
    ]
    return f"{getattr(kind, '__name__', kind)} {' and '.join(limits)}".strip()


def _misspelt(file: Path) -> Iterator[Finding]:
    known = [name.upper() for name in Settings.model_fields]
    names = {name.upper() for name in dotenv_values(file)} if file.is_file() else set()
    for name in sorted(names.difference(known)):
        similar = get_close_matches(name, known, n=1, cutoff=0.8)
        if similar:
            found = f".env sets {name}, which is no setting and is ignored"
            yield warning(f"{_CHECK}: {name}", found, f"was {similar[0]} meant? Rename it in .env")
