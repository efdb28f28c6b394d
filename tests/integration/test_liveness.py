"""The alive file of a worker: fresh while its loop turns or waits for a broker, stale if stuck."""

import os
from pathlib import Path
from types import SimpleNamespace

from pocketquant.presence.alive_file import AliveFile
from pocketquant.presence.repeating import Loop, Loops
from pocketquant.servers.connections import wait_until
from workers.liveness import Pulse


def test_a_worker_whose_loop_is_stuck_grows_stale(tmp_path: Path) -> None:
    """It stays fresh if the loop waits for the broker, and is fresh again when the loop turns."""
    connected = SimpleNamespace(consumer=SimpleNamespace(connection=object()))
    file = tmp_path / "run" / "alive"

    clock = tmp_path / "clock"  # the file system's, which a shifted wall clock does not shift

    def age() -> float:
        clock.touch()
        return clock.stat().st_mtime - file.stat().st_mtime

    pulse = Pulse(connected, AliveFile(str(file)), longest_turn_seconds=0.5)
    pulse.begin()
    wait_until("it is stale", lambda: age() > 3, (), 60)
    connected.consumer.connection = None
    wait_until("it is fresh without a broker", lambda: age() < 1, (), 60)
    connected.consumer.connection = object()
    wait_until("it is stale again", lambda: age() > 3, (), 60)

    def turn() -> bool:
        pulse.note_turn()
        return age() < 1

    wait_until("it is fresh when the loop turns", turn, (), 60)
    pulse.end()
    assert not file.exists()


def test_a_process_whose_loop_keeps_failing_grows_stale(tmp_path: Path) -> None:
    """Its file is not touched until the loop works again."""
    trouble = [ValueError("a defect")]

    def turn(_: Loop) -> None:
        for error in trouble:
            raise error

    loops = Loops(failing_seconds=0)
    path = tmp_path / "alive"
    file = AliveFile(str(path), loops)
    file.make()
    loop = loops.begin("troubled", turn)
    wait_until("it fails", lambda: not loops.are_well, (), 60)
    os.utime(path, (0, 0))
    file.touch()
    assert 0 == path.stat().st_mtime
    trouble.clear()
    wait_until("it works", lambda: loops.are_well, (), 60)
    file.touch()
    assert path.stat().st_mtime > 0
    loop.end()
