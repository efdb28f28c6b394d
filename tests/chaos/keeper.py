"""`Keeper`: starts processes, restarts dead ones, and ends all of them.

One thread starts all processes, since each ends with the thread that started it.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

import psutil

from pocketquant.machine.parent_death import ending_with_parent
from tests.chaos.events import EventLog

_LOOK_SECONDS = 0.2
_ORPHAN_SECONDS = 45.0  # a child of web notices once it is up, on a busy machine
_AGAIN_SECONDS = 1.0  # after a process has ended by itself
_GRACE_SECONDS = 10.0


@dataclass
class Kept:
    """A process that is to run, unless it `is_held` down."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    is_held: bool = False
    is_ending: bool = False  # the run ends it
    due_at: float = 0.0  # when it may start again
    orphans: list[psutil.Process] = field(default_factory=list)  # children of the killed process
    orphans_may_live_until: float = 0.0


@dataclass
class Keeper:
    """All processes of a run, by name."""

    events: EventLog
    kept: dict[str, Kept] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # unexpected ends of processes
    _lock: Lock = field(default_factory=Lock)
    _is_over: Event = field(default_factory=Event)
    _have_ended: Event = field(default_factory=Event)

    def keep(self, kept: Kept) -> None:
        """Keep this process running from now on."""
        with self._lock:
            self.kept[kept.name] = kept

    def kill(self, name: str) -> None:
        """`kill -9`, and keep it down until `release`."""
        with self._lock:
            kept = self.kept[name]
            kept.is_held = True
            if kept.process is None:
                return
            kept.is_ending = True
            kept.orphans += _tree(kept)[1:]
            kept.orphans_may_live_until = time.monotonic() + _ORPHAN_SECONDS
            _signal(kept, signal.SIGKILL)
            for orphan in kept.orphans:
                _send(orphan, signal.SIGCONT)  # a frozen process cannot end

    def release(self, name: str) -> None:
        """Let a process that was held down start again."""
        with self._lock:
            self.kept[name].is_held = False

    def freeze(self, name: str) -> None:
        """Freeze a process and its children until `thaw`."""
        with self._lock:
            _signal_tree(self.kept[name], signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen process continue."""
        with self._lock:
            _signal_tree(self.kept[name], signal.SIGCONT)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the processes running until the end of the block; then end them, by pid."""
        thread = Thread(target=self._run, name="keeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._end_all()
            thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            with self._lock:
                for kept in self.kept.values():
                    self._look_after(kept)
        self._have_ended.wait()  # when this thread ends, the kernel ends all processes in any order

    def _look_after(self, kept: Kept) -> None:
        if kept.process is not None and kept.process.poll() is not None:
            self._note_end(kept, kept.process.returncode)
            kept.process = None
        if kept.process is None and not kept.is_held and not self._is_over.is_set():
            self._start_when_due(kept)

    def _start_when_due(self, kept: Kept) -> None:
        """Start processes that are due; children of a killed one may hold its port for a moment."""
        now = time.monotonic()
        kept.orphans = [orphan for orphan in kept.orphans if _is_alive(orphan)]
        if kept.orphans and now > kept.orphans_may_live_until:
            self.faults.append(f"{kept.name} was killed, its children {kept.orphans} live on")
            for orphan in kept.orphans:
                _send(orphan, signal.SIGKILL)
        if not kept.orphans and now >= kept.due_at:
            self._start(kept)

    def _note_end(self, kept: Kept, code: int) -> None:
        self.events.note("process_ended", name=kept.name, code=code, by_us=kept.is_ending)
        if not kept.is_ending:
            self.faults.append(f"{kept.name} ended by itself with code {code}")
            kept.due_at = time.monotonic() + _AGAIN_SECONDS

    def _start(self, kept: Kept) -> None:
        with kept.log.open("ab") as log:
            kept.process = subprocess.Popen(
                ending_with_parent(kept.command),
                env=kept.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must not reach the processes
            )
        kept.is_ending = False
        self.events.note("process_started", name=kept.name, pid=kept.process.pid)

    def _end_all(self) -> None:
        """End programs first, servers last; kill those that do not end."""
        with self._lock, ExitStack() as ends:
            ends.callback(self._have_ended.set)
            trees = [process for kept in self.kept.values() for process in _tree(kept)]
            for process in trees:
                _send(process, signal.SIGCONT)
            for process in reversed(trees):
                _send(process, signal.SIGTERM)
            _, alive = psutil.wait_procs(trees, _GRACE_SECONDS)
            for process in alive:
                _send(process, signal.SIGKILL)
            psutil.wait_procs(alive, _GRACE_SECONDS)
            for kept in self.kept.values():
                if kept.process is not None:
                    kept.process.wait()


def _tree(kept: Kept) -> list[psutil.Process]:
    """Return the process and its children; nothing if it is not running."""
    if kept.process is None or kept.process.poll() is not None:
        return []
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(kept.process.pid)
        return [root, *root.children(recursive=True)]
    return []


def _is_alive(process: psutil.Process) -> bool:
    return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE


def _signal(kept: Kept, number: signal.Signals) -> None:
    if kept.process is not None and kept.process.poll() is None:
        os.kill(kept.process.pid, number)


def _signal_tree(kept: Kept, number: signal.Signals) -> None:
    for process in _tree(kept):
        _send(process, number)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
