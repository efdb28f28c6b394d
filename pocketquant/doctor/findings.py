"""What a check found, and `run`, which has all checks done side by side."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Thread

from pocketquant.redaction import Redactor


class State(StrEnum):
    """How a check ended; only what is broken fails the whole."""

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
        """The same, with no secret and no user or password of a URL in it."""
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


def run(groups: Mapping[str, Checks], limit_seconds: float) -> list[Finding]:
    """What all groups of checks found, in their order.

    Each runs in a thread of its own; one that is not over in time, or fails in a way it does not
    know, says so in a finding of its own, after those it had.
    """
    deadline = time.monotonic() + limit_seconds
    begun = [(name, *_begin(name, checks)) for name, checks in groups.items()]
    findings: list[Finding] = []
    for name, thread, found in begun:
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


def _begin(name: str, checks: Checks) -> tuple[Thread, list[Finding]]:
    found: list[Finding] = []

    def work() -> None:
        try:
            for finding in checks():
                found.append(finding)  # noqa: PERF402  # those before a failure are kept
        except Exception as error:  # noqa: BLE001  # one check's end must not be all checks' end
            said = f"the check itself failed: {type(error).__name__}"  # its text may quote a URL
            found.append(broken(name, said, "look at the settings this check is about, ask again"))

    thread = Thread(target=work, name=f"doctor-{name}", daemon=True)
    thread.start()
    return thread, found
