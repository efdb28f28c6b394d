"""The programs of PocketQuant, and the command that runs each of them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pocketquant.machine import shared_metrics
from pocketquant.messaging.queues import QueueName
from pocketquant.settings import Settings

NUMBER = "{number}"  # placeholder in a command: the number of the process

_BIN = Path(sys.executable).parent

_MOST_CONNECTIONS = 2048  # of one web or push process, with idle ones; further ones wait
_HEADER_MILLISECONDS = 10_000  # of granian; gunicorn has its keep-alive of 2 s
_STREAM_GRACE_SECONDS = 2  # streams do not end by themselves
_MOST_TASKS_SHOWN = 10_000
_OFFLINE_WORKER_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Program:
    """One program for a supervisor, which runs `count` processes of it."""

    name: str
    command: list[str]
    count: int = 1


def all_programs(settings: Settings) -> tuple[Program, ...]:
    """Return the programs that one machine runs, without MongoDB and Redis."""
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
    """Return `web_command`, with a shared folder for metrics if WEB_PROCESSES is above 1."""
    command = web_command(settings, processes)
    if settings.web_processes == 1:
        return command
    counting = f"{shared_metrics.VARIABLE}={shared_metrics.folder_of(settings.api_port)}"
    return ["/usr/bin/env", counting, *command]


def web_command(settings: Settings, processes: int = 1) -> list[str]:
    """Return the command of granian: it starts threads for waiting requests, and ends idle ones."""
    return [
        *(str(_BIN / "granian"), "--workers", str(processes)),
        *("--interface", "wsgi", "--factory", "web.app:create_worker_app"),
        *("--host", settings.api_host, "--port", str(settings.api_port)),
        *("--blocking-threads", str(settings.api_threads)),
        *("--backpressure", str(_MOST_CONNECTIONS)),
        *("--http1-header-read-timeout", str(_HEADER_MILLISECONDS)),
        *("--respawn-failed-workers", "--workers-kill-timeout", "5", "--no-ws", "--no-log"),
        *("--http", "1"),  # with HTTP/2 detection, a silent connection is never closed
    ]


def _web_program(settings: Settings) -> Program:
    """Return one server for each web process, so that a dying server takes no other process along.

    Only Linux lets servers share a port; elsewhere one server runs all the processes.
    """
    count = settings.web_processes
    if sys.platform == "linux":
        return Program("web", web_program_command(settings, 1), count)
    return Program("web", web_program_command(settings, count))


def push_command(settings: Settings) -> list[str]:
    """Return the command of gunicorn with gevent: one process, where a stream costs a greenlet."""
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
    """Return the command of a Celery worker, by default for all queues with WORKER_SLOTS slots.

    Names of workers must differ within a fleet; the host name is added to `name`.
    """
    return [
        *_celery("worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        *(("--queues", ",".join(queues)) if queues else ()),
        *(("--concurrency", str(slots)) if slots else ()),
        *(("--hostname", f"{name}@%h") if name else ()),
    ]


def interactive_command(settings: Settings) -> list[str]:
    """Return the command of a worker for ticks and waiting callers, which no bulk job delays."""
    queues = [QueueName.INTERACTIVE]
    return worker_command(queues, settings.interactive_slots, QueueName.INTERACTIVE)


def beat_command() -> list[str]:
    """Return the command of beat, which publishes ticks; a second one does no harm."""
    return _celery("beat", "--loglevel", "INFO")


def streamer_command(speed: float = 1.0) -> list[str]:
    """Return the command of a streamer: it takes a free shard, or stands by until one is free.

    `speed` is that of a simulated market's clock.
    """
    of_market = () if speed == 1.0 else ("--speed", str(speed))
    return [sys.executable, "-m", "workers.streamer.main", *of_market]


def flower_command() -> list[str]:
    """Return the command of Flower, whose configuration file hides its password from `ps`."""
    return [
        *_celery("flower", f"--conf={files('workers') / 'flower_configuration.py'}"),
        f"--max-tasks={_MOST_TASKS_SHOWN}",
        f"--purge-offline-workers={_OFFLINE_WORKER_SECONDS}",
        *("--persistent=False", "--logging=warning"),
    ]


def simulator_program(
    port: int,
    http_port: int,
    latency_seconds: float = 0,
    round_trip_seconds: float = 0,
    speed: float = 1.0,
    start: str | None = None,
) -> Program:
    """Return the program of the simulated TradingView; `start` is its market's first moment."""
    ports = ("--port", str(port), "--http-port", str(http_port))
    pace = ("--latency", str(latency_seconds), "--speed", str(speed))
    distance = ("--round-trip", str(round_trip_seconds)) if round_trip_seconds else ()
    begin = ("--start", start) if start else ()
    command = [sys.executable, "-m", "pocketquant.simulator", *ports, *pace, *distance, *begin]
    return Program("simulator", command)


def _celery(command: str, *options: str) -> list[str]:
    return [str(_BIN / "celery"), "--app", "workers.app", command, *options]
