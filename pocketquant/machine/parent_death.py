"""Run a command that ends when the process that started it ends, however that one ends.

`python -m pocketquant.machine.parent_death COMMAND [ARGUMENT…]` asks the kernel for a SIGTERM at
the death of the parent and becomes the command. Only Linux can do this; elsewhere the command just
runs.
"""

import ctypes
import multiprocessing
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def tethered(command: list[str]) -> list[str]:
    """The command line that runs `command` tied to the process that starts it."""
    return [sys.executable, "-m", "pocketquant.machine.parent_death", *command]


def tie_to_parent() -> None:
    """Have this process end when its parent does; at once where the parent is dead already.

    The kernel tells of deaths to come alone. One that has been is known of a parent that started
    this process by `multiprocessing`, as a server starts its workers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        sys.exit("the server that started this process is gone")


def main() -> None:
    tie_to_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  # becoming the command is the purpose


if __name__ == "__main__":
    main()
