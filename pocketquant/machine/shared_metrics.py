"""The folder in which the web processes on one port share their metrics.

Each process writes files named after its process id. A scrape adds up the files of all processes,
also of dead ones, so that no counter falls. Only this user may read the folder.
"""

import os
from pathlib import Path
from tempfile import gettempdir

from pocketquant.domain.errors import InvalidSettings

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client

_THIS_USER = 0o700


def folder_of(port: int) -> Path:
    """Return the folder of the web processes on this port."""
    return Path(gettempdir()) / f"pocketquant-web-{os.getuid()}-{port}"


def prepare(port: int) -> None:
    """Make the folder, and remove the files of dead processes from it; call before the start.

    InvalidSettings where the folder belongs to another user.
    """
    folder = folder_of(port)
    folder.mkdir(mode=_THIS_USER, exist_ok=True)
    if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
        raise InvalidSettings(f"{folder} belongs to somebody else: remove it, or set TMPDIR")
    folder.chmod(_THIS_USER)
    for file in folder.glob("*.db"):
        if not _is_alive(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process has this id now
        return False
    return True
