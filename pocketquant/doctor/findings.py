"""Findings of checks, and `run`, which runs all checks in parallel."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Thread
from urllib.parse import urlsplit

from pocketquant.redaction import Redactor


class State(StrEnum):
    """The result of a check; only BROKEN makes the exit code 1."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    state: State
    found: str
    remedy: str = ""

    def without_secrets(self, redactor: Redactor) -> "Finding":
        """Return the finding without secrets, and without user and password of URLs."""
        return replace(self, found=redactor(self.found), remedy=redactor(self.remedy))


Checks = Callable[[], Iterator[Finding]]


def ok(check: str, found: str) -> Finding:
    return Finding(check, State.OK, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    return Finding(check, State.WARNING, found, remedy)


def broken(check: str, found: str, remedy: str) -> Finding:
    return Finding(check, State.BROKEN, found, remedy)


def skipped(check: str, found: str, remedy: str = "") -> Finding:
    return Finding(check, State.SKIPPED, found, remedy)


def address_of(url: str) -> str:
    """Return scheme, host and port of a URL, without user and password."""
    parts = urlsplit(url.split(";")[0])
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def run(groups: Mapping[str, Checks], limit_seconds: float) -> list[Finding]:
    """Run each group of checks in its own thread, and return their findings in order.

    A group that exceeds the limit, or fails unexpectedly, adds a broken finding after its others.
    """
    deadline = time.monotonic() + limit_seconds
    started = [(name, *_start(name, checks)) for name, checks in groups.items()]
    findings: list[Finding] = []
    for name, thread, found in started:
        thread.join(max(0.0, deadline - time.monotonic()))
        findings += list(found)
        if thread.is_alive():
            findings.append(
                broken(
                    name,
                    f"no answer within {limit_seconds:.0f} s",
                    "something accepts connections and does not answer: restart it",
                )
            )
    return findings


def _start(name: str, checks: Checks) -> tuple[Thread, list[Finding]]:
    found: list[Finding] = []

    def work() -> None:
        try:
            for finding in checks():
                found.append(finding)  # noqa: PERF402  # keeps those before a failure
        except Exception as error:  # noqa: BLE001  # a failing check must not stop the others
            text = f"the check itself failed: {type(error).__name__}"  # its message may quote a URL
            found.append(broken(name, text, "look at the settings of this check, and run it again"))

    thread = Thread(target=work, name=f"doctor-{name}", daemon=True)
    thread.start()
    return thread, found
