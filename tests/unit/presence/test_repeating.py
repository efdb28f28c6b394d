"""Loops that go on after errors, and the health of their process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from pocketquant.presence.repeating import Loop, Loops
from pocketquant.servers.connections import wait_until


@dataclass
class Work:
    """A repeated turn that fails while there is `trouble`."""

    trouble: Exception | None = None
    turns: int = 0

    def turn(self, _: Loop) -> None:
        self.turns += 1
        if self.trouble:
            raise self.trouble


@contextmanager
def running(loops: Loops, work: Work, name: str) -> Iterator[Loop]:
    loop = loops.begin(name, work.turn, 0.01)
    try:
        yield loop
    finally:
        loop.end(10)


def failures(name: str) -> float:
    return REGISTRY.get_sample_value("pocketquant_loop_failures_total", {"loop": name}) or 0.0


def test_a_loop_goes_on_after_an_unforeseen_error() -> None:
    """The error is logged with its traceback and counted, and the next turn comes."""
    work = Work(ValueError("a defect"))
    with capture_logs() as logged, running(Loops(), work, "troubled"):
        wait_until("it was tried again", lambda: work.turns >= 2, (), 60)
        work.trouble = None
        before = work.turns
        wait_until("it goes on", lambda: work.turns > before + 2, (), 60)
    assert failures("troubled") >= 2
    *failed, last = logged
    assert {("loop_failed", True)} == {(line["event"], line["exc_info"]) for line in failed}
    assert "loop_works_again" == last["event"]


def test_a_loop_that_keeps_failing_makes_its_process_unwell() -> None:
    """The process is well again when the loop works; other loops do not matter."""
    loops, work = Loops(failing_seconds=0.5), Work(ValueError("a defect"))
    with running(loops, work, "failing"), running(loops, Work(), "fine"):
        wait_until("it is unwell", lambda: not loops.are_well, (), 30)
        assert ("failing",) == loops.failing
        work.trouble = None
        wait_until("it is well again", lambda: loops.are_well, (), 30)
    assert () == loops.failing


def test_one_failure_leaves_a_process_well() -> None:
    """Only a loop that fails for long makes it unwell."""
    loops, work = Loops(failing_seconds=3600), Work(ValueError("a defect"))
    with running(loops, work, "once"):
        wait_until("it has failed", lambda: failures("once") > 0, (), 30)
        assert loops.are_well


def test_a_loop_that_ended_no_longer_counts() -> None:
    """Its failures do not make the process unwell."""
    loops, work = Loops(failing_seconds=0), Work(ValueError("a defect"))
    with running(loops, work, "ended"):
        wait_until("it is unwell", lambda: not loops.are_well, (), 30)
    wait_until("it is forgotten", lambda: loops.are_well, (), 30)


def test_a_long_turn_notes_its_own_success() -> None:
    """The loop is well from then on, though the turn does not return."""
    loops = Loops(failing_seconds=0)
    attempts = []

    def turn(loop: Loop) -> None:
        attempts.append(loop)
        if len(attempts) == 1:
            raise ValueError("the first attempt")
        loop.note_success()
        while not loop.wait(10):
            pass

    loop = loops.begin("long", turn)
    wait_until("it is unwell", lambda: not loops.are_well, (), 30)
    wait_until("it is well", lambda: loops.are_well, (), 30)
    loop.end(10)
    assert 2 == len(attempts)


def test_a_turn_may_stop_its_own_loop() -> None:
    """No further turn begins."""
    turns = []

    def turn(loop: Loop) -> None:
        turns.append(loop)
        loop.stop()

    loop = Loops().begin("once", turn)
    loop.join(10)
    assert ([loop], True) == (turns, loop.is_ending)
