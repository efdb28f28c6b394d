"""Run a command that ends when the process that started it ends, however that one ends.

`python -m pocketquant.tether COMMAND [ARGUMENT…]` asks the kernel for a SIGTERM at the parent's
death and becomes the command. Only Linux can do this; elsewhere the command just runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def tethered(command: list[str]) -> list[str]:
    """The command line that runs `command` tied to the process that starts it."""
    return [sys.executable, "-m", "pocketquant.tether", *command]


def tie_to_parent() -> None:
    """Have this process end when its parent does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    tie_to_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  # becoming the command is the purpose


if __name__ == "__main__":
    main()
