"""Run a command that ends when its parent process ends, even if the parent is killed.

`python -m pocketquant.machine.parent_death COMMAND [ARGUMENT…]` requests a SIGTERM from the kernel
for the death of its parent, then replaces itself with the command. Only Linux supports this;
elsewhere the command just runs.
"""

import ctypes
import multiprocessing
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def ending_with_parent(command: list[str]) -> list[str]:
    """Return the command line that runs `command` and ends it when the starting process ends."""
    return [sys.executable, "-m", "pocketquant.machine.parent_death", *command]


def end_with_parent() -> None:
    """Make this process end when its parent ends; exit at once if the parent has ended already.

    The kernel signals only a later death of the parent. An earlier one is noticed only where
    `multiprocessing` started this process, as servers start their workers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        sys.exit("the server that started this process is gone")


def main() -> None:
    end_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  # replacing this process is the purpose


if __name__ == "__main__":
    main()
