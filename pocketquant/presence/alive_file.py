"""`AliveFile`: a file whose age tells a health check whether the process is well."""

from pathlib import Path

import structlog

from pocketquant.presence.repeating import Loops

_log = structlog.get_logger(__name__)


class AliveFile:
    """A file that its process touches about once a second. An empty `path` means no file.

    It is not touched while one of the `loops` keeps failing.
    """

    def __init__(self, path: str, loops: Loops | None = None) -> None:
        self._path = Path(path) if path else None
        self._loops = loops or Loops()

    def make(self) -> None:
        """Create the file and its folder; OSError if that is impossible."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()

    def touch(self) -> None:
        """Renew the file's time, unless a loop is failing. A failure is only logged."""
        if self._path is None or not self._loops.are_well:
            return
        try:
            self._path.touch()
        except OSError as error:
            _log.error("alive_file_not_touched", cause=str(error))

    def remove(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
