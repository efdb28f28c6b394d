"""The programs PocketQuant consists of, and how each of them is run."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pocketquant.machine import shared_metrics
from pocketquant.messaging.queues import QueueName
from pocketquant.settings import Settings

NUMBER = "{number}"  # in a command: which of the program's processes this one is

_BIN = Path(sys.executable).parent

_MOST_CONNECTIONS = 2048  # of one web or push process, idle ones included; more have to wait
_HEADER_MILLISECONDS = 10_000  # of granian; gunicorn gives up after its keep-alive of 2 s
_STREAM_GRACE_SECONDS = 2  # streams have no end to wait for
_MOST_TASKS_SHOWN = 10_000
_OFFLINE_WORKER_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Program:
    """One program for a supervisor; `count` processes of it."""

    name: str
    command: list[str]
    count: int = 1


def all_programs(settings: Settings) -> tuple[Program, ...]:
    """What one machine runs, its servers aside."""
    interactive = Program("interactive", interactive_command(settings))
    return (
        _web_program(settings),
        Program("push", push_command(settings)),
        Program("worker", worker_command(name=f"worker-{NUMBER}"), settings.workers),
        *((interactive,) if settings.interactive_slots else ()),
        Program("beat", beat_command()),
        Program(
            "streamer", streamer_command(), settings.streamer_shards + settings.streamer_standbys
        ),
        Program("flower", flower_command()),
    )


def web_program_command(settings: Settings, processes: int) -> list[str]:
    """granian with so many processes, which count together with all others on the port."""
    command = web_command(settings, processes)
    if settings.web_processes == 1:
        return command
    counting = f"{shared_metrics.VARIABLE}={shared_metrics.folder_of(settings.api_port)}"
    return ["/usr/bin/env", counting, *command]


def web_command(settings: Settings, processes: int = 1) -> list[str]:
    """granian: threads are made when requests wait and go when they are idle."""
    return [
        *(str(_BIN / "granian"), "--workers", str(processes)),
        *("--interface", "wsgi", "--factory", "web.app:create_worker_app"),
        *("--host", settings.api_host, "--port", str(settings.api_port)),
        *("--blocking-threads", str(settings.api_threads)),
        *("--backpressure", str(_MOST_CONNECTIONS)),
        *("--http1-header-read-timeout", str(_HEADER_MILLISECONDS)),
        *("--respawn-failed-workers", "--workers-kill-timeout", "5", "--no-ws", "--no-log"),
        *("--http", "1"),  # or a connection that says nothing at all is never given up
    ]


def _web_program(settings: Settings) -> Program:
    """As many servers as there shall be processes: a server that dies takes its own with it.

    Only Linux lets servers share a port; elsewhere one server has all the processes.
    """
    count = settings.web_processes
    if sys.platform == "linux":
        return Program("web", web_program_command(settings, 1), count)
    return Program("web", web_program_command(settings, count))


def push_command(settings: Settings) -> list[str]:
    """gunicorn with gevent, one process: the same API; an open stream costs a greenlet."""
    return [
        *(str(_BIN / "gunicorn"), "web.app:create_push_app()"),
        *("--bind", f"{settings.push_host}:{settings.push_port}"),
        *("--worker-class", "gevent", "--workers", "1"),
        *("--worker-connections", str(_MOST_CONNECTIONS)),
        *("--graceful-timeout", str(_STREAM_GRACE_SECONDS)),
        *("--log-level", "warning", "--no-control-socket"),
    ]


def worker_command(
    queues: Sequence[QueueName] = (), slots: int | None = None, name: str | None = None
) -> list[str]:
    """A Celery worker; where nothing is said `workers.app` chooses: all queues, WORKER_SLOTS.

    Names of workers of one fleet have to differ; the machine's is added to `name`.
    """
    return [
        *_celery("worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        *(("--queues", ",".join(queues)) if queues else ()),
        *(("--concurrency", str(slots)) if slots else ()),
        *(("--hostname", f"{name}@%h") if name else ()),
    ]


def interactive_command(settings: Settings) -> list[str]:
    """A worker for what somebody waits for and for ticks, so that nothing slow is before them."""
    queues = [QueueName.INTERACTIVE]
    return worker_command(queues, settings.interactive_slots, QueueName.INTERACTIVE)


def beat_command() -> list[str]:
    """The metronome; a second one does no harm."""
    return _celery("beat", "--loglevel", "INFO")


def streamer_command() -> list[str]:
    """A streamer of live quotes: it takes a shard that has none, or stands by for one."""
    return [sys.executable, "-m", "workers.streamer.main"]


def flower_command() -> list[str]:
    """Flower; its address and password are in its configuration file, where `ps` shows neither."""
    return [
        *_celery("flower", f"--conf={files('workers') / 'flower_configuration.py'}"),
        f"--max-tasks={_MOST_TASKS_SHOWN}",
        f"--purge-offline-workers={_OFFLINE_WORKER_SECONDS}",
        *("--persistent=False", "--logging=warning"),
    ]


def simulator_program(port: int, http_port: int, latency_seconds: float = 0) -> Program:
    """The simulated TradingView."""
    ports = ("--port", str(port), "--http-port", str(http_port))
    latency = ("--latency", str(latency_seconds))
    return Program("simulator", [sys.executable, "-m", "pocketquant.simulator", *ports, *latency])


def _celery(command: str, *options: str) -> list[str]:
    return [str(_BIN / "celery"), "--app", "workers.app", command, *options]
