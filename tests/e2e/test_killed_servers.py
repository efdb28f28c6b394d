"""Servers of the API that are killed while they start."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.machine.programs import push_command, web_command
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings

pytestmark = pytest.mark.fault


@pytest.mark.parametrize("command_of", [web_command, push_command])
def test_a_server_killed_while_it_starts_leaves_nothing_behind(
    command_of: Callable[[Settings], list[str]], tmp_path: Path, mongodb_url: str, redis_url: str
) -> None:
    """Its child process ends too, although it has not yet tied itself to its parent.

    A surviving child would hold the port, so that no other server could start.
    """
    settings = Settings.model_validate(
        {
            "mongodb_url": mongodb_url,
            "redis_url": redis_url,
            "api_host": HOST,
            "api_port": reserve_port(),
            "push_host": HOST,
            "push_port": reserve_port(),
        }
    )
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            ending_with_parent(command_of(settings)),
            env=settings.environment_of_children(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    children: list[psutil.Process] = []

    def has_children() -> bool:
        children[:] = psutil.Process(server.pid).children(recursive=True)
        return bool(children)

    wait_until("it has begun", has_children, (), 60)
    server.send_signal(signal.SIGKILL)
    server.wait()
    try:
        wait_until("its children have ended", lambda: not alive(children), (), 60)
    finally:
        for child in alive(children):
            child.kill()


def test_sigterm_ends_a_worker_process_before_it_serves(mongodb_url: str, redis_url: str) -> None:
    """It has inherited a signal handler that works only in the loop of the server."""
    lines = (
        "import os, signal, web.app",
        "signal.signal(signal.SIGTERM, lambda *_: None)",
        "web.app.create_worker_app()",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "signal.pause()",
    )
    settings = Settings.model_validate({"mongodb_url": mongodb_url, "redis_url": redis_url})
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=settings.environment_of_children(),
        timeout=120,
        check=False,
    )
    assert -signal.SIGTERM == ended.returncode


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != "zombie"]
