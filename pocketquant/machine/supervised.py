"""Ask supervisord about the processes of a running `pocketquant up`, or end them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from pocketquant.domain.errors import InvalidSettings
from pocketquant.machine import private_urls
from pocketquant.servers.connections import wait_until

_SOCKET = "supervisor.sock"
_RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Process:
    """A process of `up`: its state in supervisord's words, and what it says about it."""

    name: str
    state: str
    description: str  # process id and uptime, or why it does not run

    @property
    def is_running(self) -> bool:
        return self.state == _RUNNING


def processes(folder: Path) -> list[Process]:
    """Return the processes of the `up` that runs on the folder; InvalidSettings if none does."""
    with _supervisord(folder) as supervisord:
        return [
            Process(info["name"], info["statename"], info["description"])
            for info in supervisord.getAllProcessInfo()
        ]


def shut_down(folder: Path, patience_seconds: float) -> None:
    """End the `up` that runs on the folder with all its processes, as Ctrl-C does, and wait for it.

    InvalidSettings if none runs, TimeoutError if it is still running after `patience_seconds`.
    """
    with _supervisord(folder) as supervisord:
        supervisord.shutdown()
    wait_until(
        f"`pocketquant up` on {folder} has ended",
        lambda: not private_urls.is_up(folder),
        (),
        patience_seconds,
    )


@contextmanager
def _supervisord(folder: Path) -> Iterator[Any]:
    """The calls of supervisord, translating its errors while the block lasts."""
    if not private_urls.is_up(folder):
        raise InvalidSettings(f"no `pocketquant up` runs on {folder}; --data-dir names another one")
    transport = SupervisorTransport(serverurl=f"unix://{(folder / _SOCKET).resolve()}")
    try:
        with ServerProxy("http://supervisord", transport=transport) as proxy:
            yield proxy.supervisor
    except (OSError, Fault) as error:
        raise InvalidSettings(
            f"`pocketquant up` on {folder} is starting or ending: try again in a few seconds"
        ) from error
