"""RabbitMQ instead of Redis as broker, chosen by `CELERY_BROKER_URL` alone."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import amqp
import psutil
import pytest

from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.messaging.queues import QueueName, celery_app
from pocketquant.servers.connections import wait_until

pytestmark = pytest.mark.timeout(300)

# Debian's wrapper on PATH changes user and folder; this is what it wraps.
DEBIAN = "/usr/lib/rabbitmq/bin/rabbitmq-server"
SYNCS = 30


@pytest.fixture(scope="module")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private rabbitmq-server, with an epmd of its own."""
    program = shutil.which(DEBIAN) or shutil.which("rabbitmq-server")
    if not program and "CI" not in os.environ:
        pytest.skip("rabbitmq-server is not installed")
    assert program, "rabbitmq-server is not installed"
    port, epmd_port = reserve_port(), reserve_port()
    environment = private_environment(tmp_path_factory.mktemp("rabbitmq"), port, epmd_port)
    epmd = ["epmd", "-address", HOST, "-port", str(epmd_port)]
    with ExitStack() as ends:
        for command in (epmd, [program]):
            server = subprocess.Popen(
                ending_with_parent(command), env=environment, stdout=subprocess.DEVNULL
            )
            ends.callback(end, server)
        wait_until("rabbitmq-server answers", lambda: answers(port), (OSError, amqp.AMQPError), 90)
        yield f"amqp://guest:guest@{HOST}:{port}//"


def private_environment(folder: Path, port: int, epmd_port: int) -> dict[str, str]:
    """The environment of rabbitmq-server: one folder, loopback ports, no plugin."""
    (folder / "enabled_plugins").write_text("[].")
    (folder / "environment").touch()
    ours = {
        "HOME": folder,  # of the cookie
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": epmd_port,
        "RABBITMQ_CONFIG_FILE": folder / "none",
        "RABBITMQ_CONF_ENV_FILE": folder / "environment",
        "RABBITMQ_DIST_PORT": reserve_port(),
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "enabled_plugins",
        "RABBITMQ_LOG_BASE": folder / "log",
        "RABBITMQ_MNESIA_BASE": folder / "mnesia",
        "RABBITMQ_NODENAME": f"pocketquant{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none",
    }
    return {**os.environ, **{name: str(value) for name, value in ours.items()}}


def answers(port: int) -> bool:
    with amqp.Connection(f"{HOST}:{port}", connect_timeout=5) as connection:
        return bool(connection.connected)


def end(server: "subprocess.Popen[bytes]") -> None:
    """Send SIGTERM to the process group: the script that starts Erlang does not forward it."""
    processes = [*psutil.Process(server.pid).children(recursive=True), psutil.Process(server.pid)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=30)
    for process in left:
        process.kill()
    server.wait()


@pytest.fixture(scope="module")
def fleet(start_platform: Callable[..., Any], rabbitmq_url: str) -> Iterator[Any]:
    """A platform on RabbitMQ: two workers for all queues, one for the interactive queue alone."""
    settings = {"workers": 2, "worker_slots": 2, "interactive_slots": 2}
    without = frozenset({"flower", "push", "streamer"})
    with start_platform(without, celery_broker_url=rabbitmq_url, **settings) as platform:
        yield platform


@pytest.fixture
def slow(simulator: Any) -> Iterator[None]:
    """Let every fetch take a second."""
    simulator.order("latency", None, 1.0)
    yield
    simulator.lift()


def test_queues_are_quorum_queues_with_lengths(rabbitmq_url: str) -> None:
    """Queues survive the loss of one member, and their lengths can be read."""
    app = celery_app(rabbitmq_url)
    assert dict.fromkeys(QueueName, 0) == Dispatcher(app).lengths()
    with app.connection_for_write() as connection:
        channel: Any = connection.channel()
        with pytest.raises(amqp.PreconditionFailed, match="x-queue-type"):
            channel.queue_declare(QueueName.BULK, durable=True, auto_delete=False)
    app.close()


@pytest.mark.usefixtures("slow")
def test_an_interactive_sync_overtakes_the_bulk(fleet: Any) -> None:
    """With all other slots busy and many units queued, the interactive worker runs it at once."""
    jobs = fleet.sync_each_in_background(f"SIM:S{650 + n:04}" for n in range(SYNCS))
    answer = fleet.sync("SIM:S0649", n_bars=10)
    assert 200 == answer.status, answer.body
    assert fleet.ended(jobs) < SYNCS
    for job_id in jobs:
        assert 1 == fleet.wait_for_job(job_id)["counts"]["completed"]


@pytest.mark.fault
@pytest.mark.usefixtures("slow")
def test_a_worker_killed_halfway_loses_nothing(fleet: Any, kill: Callable[..., None]) -> None:
    """After `kill -9` in the middle of thirty syncs, each of them is completed."""
    jobs = fleet.sync_each_in_background(f"SIM:S{700 + n:04}" for n in range(SYNCS))
    wait_until("some are done", lambda: fleet.ended(jobs) >= 4, (), 60)
    kill(fleet.processes("worker-0@")[0])
    assert fleet.ended(jobs) < SYNCS
    for job_id in jobs:
        assert 1 == fleet.wait_for_job(job_id, 90)["counts"]["completed"]
