"""Where the web processes on one port count together: a folder of files for this user alone.

Each process writes files of its own, named after its id, and a scrape adds up those of all: also
those of processes that have died, so that no counter ever falls.
"""

import os
from pathlib import Path
from tempfile import gettempdir

from pocketquant.domain.errors import InvalidSettings

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client looks at it

_THIS_USER = 0o700


def folder_of(port: int) -> Path:
    """The folder of the web processes on this port."""
    return Path(gettempdir()) / f"pocketquant-web-{os.getuid()}-{port}"


def prepare(port: int) -> None:
    """Make the folder, before processes start; without what those of an earlier start left in it.

    InvalidSettings where somebody else has made it.
    """
    folder = folder_of(port)
    folder.mkdir(mode=_THIS_USER, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid():
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
    except PermissionError:  # somebody else's by now
        return False
    return True
