"""Schedules, which sync series regularly."""

from collections.abc import Iterator
from urllib.parse import quote as escaped

from pocketquant.client.calls import Calls
from pocketquant.client.responses import Schedule

Field = str | int | bool | list[str]


class Schedules(Calls):
    """Calls about schedules."""

    def list(self) -> Iterator[Schedule]:
        """Yield all schedules, each with its next and its last run."""
        return iter(self._list("/schedules"))

    def get(self, name: str) -> Schedule:
        """Return one schedule; NotFound for an unknown name."""
        return self._call("GET", _path(name))

    def add(self, name: str, **fields: Field) -> Schedule:
        """Add a schedule with `cron` or `after_close_minutes`; it counts from now.

        More fields: `intervals`, `exchange` or `symbols`, `n_bars`, `description`, `paused`. Needs
        a key of scope admin where the API needs keys. Conflict: the name is taken.
        """
        return self._call("POST", "/schedules", json={"name": name, **fields})

    def change(self, name: str, **changes: Field) -> Schedule:
        """Change fields of a schedule, as in `add`, or run it at once with `run_now=True`.

        Needs a key of scope admin where the API needs keys.
        """
        return self._call("PUT", _path(name), json=changes)

    def remove(self, name: str) -> None:
        """Remove a schedule of your own; Conflict: it is built in, and can only be paused."""
        self._transport.send("DELETE", _path(name))


def _path(name: str) -> str:
    return f"/schedules/{escaped(name, safe='')}"
