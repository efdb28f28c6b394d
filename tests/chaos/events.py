"""The log of a run: one line for each event, in a file and in memory."""

import time
from pathlib import Path
from threading import Lock


class EventLog:
    """Lines with the seconds since the run began; safe to write from any thread."""

    def __init__(self, path: Path) -> None:
        self._began = time.monotonic()
        self._file = path.open("w", encoding="utf-8")
        self._lock = Lock()
        self.path = path
        self.lines: list[str] = []

    def note(self, event: str, **fields: object) -> None:
        """Write an event; fields that are None are left out."""
        details = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        line = f"{time.monotonic() - self._began:8.2f}  {event} {details}".rstrip()
        with self._lock:
            if not self._file.closed:
                self._file.write(line + "\n")
                self._file.flush()
            self.lines.append(line)

    def about(self, texts: set[str]) -> list[str]:
        """Return the lines that contain one of these texts."""
        return [line for line in self.lines if any(text in line for text in texts)]

    def close(self) -> None:
        with self._lock:
            self._file.close()
