"""Where the private servers of a running `pocketquant up` are, for commands beside it.

`up` writes their URLs into a file of its data folder that only this user may read, and holds a lock
on it while it runs: the kernel takes the lock away however it ends, so an old file misleads nobody.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import orjson

from pocketquant.domain.errors import InvalidSettings
from pocketquant.settings import Environment, Settings

_FILE = "servers.json"
_THIS_USER = 0o600


@contextmanager
def announced(folder: Path, urls: Mapping[str, str]) -> Iterator[None]:
    """The settings in `urls` can be found while the block lasts.

    InvalidSettings where another `up` runs on the folder.
    """
    with os.fdopen(_opened(folder / _FILE), "ab") as file:
        if not _locks(file, fcntl.LOCK_EX):
            raise InvalidSettings(f"another `pocketquant up` runs on {folder}")
        file.truncate(0)
        file.write(orjson.dumps(urls))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def with_private_servers(settings: Settings) -> Settings:
    """The settings, with the URLs of the `up` that runs on DATA_DIR where they name none."""
    if settings.environment is Environment.PRODUCTION:
        return settings
    found = _announced_in(settings.data_dir)
    missing = {name: url for name, url in found.items() if not getattr(settings, name)}
    return settings.model_copy(update=missing)


def _announced_in(folder: Path) -> dict[str, str]:
    try:
        with (folder / _FILE).open("rb") as file:
            if _locks(file, fcntl.LOCK_SH):  # then nobody runs
                return {}
            urls: dict[str, str] = orjson.loads(file.read() or b"{}")
            return urls
    except (OSError, ValueError):
        return {}


def _locks(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, _THIS_USER)
