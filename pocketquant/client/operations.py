"""The fleet and its schedules."""

from urllib.parse import quote as escaped

from pocketquant.client.asking import Asking
from pocketquant.client.transport import Json


class Operations(Asking):
    """Calls for who keeps a PocketQuant running."""

    def fleet(self) -> Json:
        """Workers, streamers, queues, pace, schedules, and what is wrong with them."""
        return self._call("GET", "/fleet")

    def schedules(self) -> list[Json]:
        """All schedules: when each runs, and how it went."""
        return self._list("/schedules")

    def schedule(self, name: str) -> Json:
        """When a schedule runs, and how it went; NotFound where there is none of that name."""
        return self._call("GET", f"/schedules/{escaped(name, safe='')}")

    def change_schedule(self, name: str, **changes: str | int | bool) -> Json:
        """The schedule with another `cron`, `n_bars` or `paused`, or asked to run by `run_now`.

        Wants a key of scope admin where keys are wanted.
        """
        return self._call("PUT", f"/schedules/{escaped(name, safe='')}", json=changes)
