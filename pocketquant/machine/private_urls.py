"""URLs of the private servers of a running `pocketquant up`, for commands beside it.

`up` writes the URLs into a file of its data folder that only this user may read, and holds a lock
on the file while it runs. The kernel releases the lock even if `up` is killed, so readers ignore a
file that is left over.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import orjson

from pocketquant.domain.errors import InvalidSettings
from pocketquant.settings import Settings

_FILE = "servers.json"
_THIS_USER = 0o600


@contextmanager
def announced(folder: Path, urls: Mapping[str, str]) -> Iterator[None]:
    """Publish `urls`, by name of the setting, while the block lasts.

    InvalidSettings where another `up` runs on the folder.
    """
    with os.fdopen(_open(folder / _FILE), "ab") as file:
        if not _try_lock(file, fcntl.LOCK_EX):
            raise InvalidSettings(f"another `pocketquant up` runs on {folder}")
        file.truncate(0)
        file.write(orjson.dumps(urls))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def with_private_servers(settings: Settings) -> Settings:
    """Return the settings, completed by the URLs of the `up` that runs on DATA_DIR."""
    if not settings.is_development:
        return settings
    announced_urls = _read(settings.data_dir)
    missing = {name: url for name, url in announced_urls.items() if not getattr(settings, name)}
    return settings.model_copy(update=missing)


def is_up(folder: Path) -> bool:
    """Whether a `pocketquant up` runs on the folder."""
    try:
        with (folder / _FILE).open("rb") as file:
            return not _try_lock(file, fcntl.LOCK_SH)
    except OSError:
        return False


def _read(folder: Path) -> dict[str, str]:
    try:
        with (folder / _FILE).open("rb") as file:
            if _try_lock(file, fcntl.LOCK_SH):  # no `up` runs
                return {}
            urls: dict[str, str] = orjson.loads(file.read() or b"{}")
            return urls
    except (OSError, ValueError):
        return {}


def _try_lock(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, _THIS_USER)
