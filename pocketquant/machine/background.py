"""Go on in the background: a process of its own session, which outlives the terminal."""

import os
import signal
from collections.abc import Callable
from pathlib import Path


def go_to_background() -> Callable[[Path], None]:
    """Go on in a child process; the caller's process waits for it, and never returns from here.

    Returns a function to call when all is well: from then on the child writes to a log file, and
    the waiting process exits with 0. If the child ends before, the waiting process exits with its
    exit code. Ctrl-C while it waits ends both. Call it before any thread is started.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        os._exit(_result(child, reader))
    os.close(reader)
    os.setsid()

    def settle(log: Path) -> None:
        with Path(os.devnull).open("rb") as nothing, log.open("ab") as file:
            for descriptor, source in enumerate((nothing, file, file)):
                os.dup2(source.fileno(), descriptor)
        os.write(writer, b".")
        os.close(writer)

    return settle


def _result(child: int, reader: int) -> int:
    """Return 0 once the child has settled, or its exit code if it ends before."""
    try:
        if os.read(reader, 1):
            return 0
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
