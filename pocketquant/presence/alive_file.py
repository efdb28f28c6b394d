"""`AliveFile`: what tells a health check that a process lives, as long as it is young."""

from pathlib import Path

import structlog

from pocketquant.presence.repeating import Loops

_log = structlog.get_logger(__name__)


class AliveFile:
    """Touched about once a second by a process that is well; an empty `path` is no file.

    It grows old while one of the `loops` keeps failing.
    """

    def __init__(self, path: str, loops: Loops | None = None) -> None:
        self._path = Path(path) if path else None
        self._loops = loops or Loops()

    def make(self) -> None:
        """A folder that can't be made or written is an OSError."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()

    def touch(self) -> None:
        """Be well at this moment, unless a loop is not."""
        if self._path is None or not self._loops.are_well:
            return
        try:
            self._path.touch()
        except OSError as error:
            _log.error("alive_file_not_touched", cause=str(error))

    def remove(self) -> None:
        """Be gone."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
