"""Schedules, which sync series regularly."""

from collections.abc import Iterator
from urllib.parse import quote as escaped

from pocketquant.client.calls import Calls
from pocketquant.client.responses import Schedule


class Schedules(Calls):
    """Calls about schedules."""

    def list(self) -> Iterator[Schedule]:
        """Yield all schedules, each with its next and its last run."""
        return iter(self._list("/schedules"))

    def get(self, name: str) -> Schedule:
        """Return one schedule; NotFound for an unknown name."""
        return self._call("GET", _path(name))

    def change(self, name: str, **changes: str | int | bool) -> Schedule:
        """Change `cron`, `n_bars` or `paused`, or run it at once with `run_now=True`.

        Needs a key of scope admin where the API needs keys.
        """
        return self._call("PUT", _path(name), json=changes)


def _path(name: str) -> str:
    return f"/schedules/{escaped(name, safe='')}"
