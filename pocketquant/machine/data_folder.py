"""The data folder of one machine, which only this user may read.

It holds secrets: the data of the private servers with the account's token, their logs, and the
password that is generated for Flower where the settings have none.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from pocketquant.domain.errors import InvalidSettings
from pocketquant.settings import Settings

UMASK = 0o077

_FOLDER, _FILE = 0o700, 0o600
_PASSWORD = "flower-password"  # noqa: S105  # the name of its file
_OURS = frozenset(
    {
        *("mongodb", "redis", "cache", "logs", "mongod.log", "redis.log", "cache.log"),
        *("supervisord.conf", "supervisord.pid", "supervisor.sock", "servers.json", _PASSWORD),
    }
)


def prepare(folder: Path) -> None:
    """Make the folder, and remove other users' rights from files of earlier runs.

    A folder that also holds other files keeps its mode. InvalidSettings where a file belongs to
    another user.
    """
    try:
        folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
        if names <= _OURS:
            folder.chmod(_FOLDER)
        for name in names & _OURS:
            for path in _within(folder / name):
                _close_to_others(path)
    except PermissionError as error:
        raise InvalidSettings(
            f"{error.filename} belongs to another user: give it to this one,"
            " or set DATA_DIR to another folder"
        ) from error


def with_flower_password(settings: Settings, folder: Path) -> Settings:
    """Return the settings; in development, generate the password of Flower if they have none."""
    if not settings.is_development or settings.flower_password.get_secret_value():
        return settings
    try:
        password = SecretStr(_password(folder))
    except OSError as error:
        raise InvalidSettings(
            f"Flower's password can't be kept in {folder} ({error.strerror}): set FLOWER_PASSWORD"
        ) from error
    return settings.model_copy(update={"flower_password": password})


def password_file(folder: Path) -> Path:
    """Return the path of the file with the generated password."""
    return folder / _PASSWORD


def _password(folder: Path) -> str:
    """Return the kept password; concurrent first calls generate only one."""
    path = password_file(folder)
    if not path.exists():
        folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".") as temporary:
            complete = Path(temporary) / _PASSWORD
            complete.touch(_FILE)
            complete.write_text(f"{secrets.token_urlsafe(24)}\n")
            with suppress(FileExistsError):
                os.link(complete, path)
    return path.read_text().strip()


def _within(path: Path) -> Iterator[Path]:
    yield path
    for parent, folders, files in os.walk(path):
        yield from (Path(parent) / name for name in (*folders, *files))


def _close_to_others(path: Path) -> None:
    """Remove other users' rights; skip links, whose targets lie elsewhere, and removed files."""
    with suppress(FileNotFoundError):
        if not path.is_symlink():
            path.chmod(_FOLDER if path.is_dir() else _FILE)
