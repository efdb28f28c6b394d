"""All processes of one machine, kept running by supervisord.

What dies is started again, with a back-off that grows; what is stopped with `supervisorctl`
stays stopped. Private servers are among them where the settings name none.
"""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from pocketquant import embedded
from pocketquant.connections import wait_until
from pocketquant.domain.errors import InvalidSettings
from pocketquant.settings import Environment, Settings
from pocketquant.tether import tethered

_BIN = Path(sys.executable).parent
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0

_MOST_CONNECTIONS = 2048  # of one web process, idle ones included; more have to wait
_SERVER_STOP_SECONDS = 6
_PROCESS_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Program:
    """One program for supervisord; `count` processes of it."""

    name: str
    command: list[str]
    count: int = 1


@dataclass(frozen=True, slots=True)
class Machine:
    """The running processes: where the API answers, where the logs are."""

    api_url: str
    logs: Path
    supervisord: "subprocess.Popen[bytes]" = field(repr=False)

    @property
    def docs_url(self) -> str:
        return f"{self.api_url}/api/v1/docs"


def web_command(settings: Settings) -> list[str]:
    """granian, one process: threads are made when requests wait and go when they are idle."""
    return [
        str(_BIN / "granian"),
        *("--interface", "wsgi", "--factory", "web.app:create_worker_app"),
        *("--host", settings.api_host, "--port", str(settings.api_port)),
        *("--blocking-threads", str(settings.api_threads)),
        *("--backpressure", str(_MOST_CONNECTIONS)),
        *("--respawn-failed-workers", "--workers-kill-timeout", "5", "--no-ws", "--no-log"),
    ]


def worker_command() -> list[str]:
    """A Celery worker, its pool and slots as `workers.app` sets them; start as many as you like."""
    return [*_celery("worker"), "--without-gossip", "--without-mingle"]


def beat_command() -> list[str]:
    """The metronome; a second one does no harm."""
    return _celery("beat")


def simulator_program(port: int, http_port: int, latency_seconds: float = 0) -> Program:
    """The simulated TradingView."""
    ports = ("--port", str(port), "--http-port", str(http_port))
    latency = ("--latency", str(latency_seconds))
    return Program("simulator", [sys.executable, "-m", "pocketquant.simulator", *ports, *latency])


@contextmanager
def running(
    settings: Settings, folder: Path, extra: tuple[Program, ...] = (), show_logs: bool = False
) -> Iterator[Machine]:
    """All processes for as long as the block lasts; requests are served when it begins."""
    if embedded.is_in_use(settings.api_host, settings.api_port):
        raise InvalidSettings(f"{settings.api_url} is taken; set API_PORT to a free port")
    folder = folder.resolve()
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    servers, environment = _servers(settings, folder)
    private = tuple(Program(server.name, server.command) for server in servers)
    config = folder / "supervisord.conf"
    config.write_text(_config(folder, private, (*extra, *_programs(settings)), show_logs))
    machine = Machine(
        settings.api_url,
        logs,
        subprocess.Popen(
            tethered([str(_BIN / "supervisord"), "--nodaemon", "--configuration", str(config)]),
            env=settings.environment_of_children(environment),
            stdout=None if show_logs else subprocess.DEVNULL,
        ),
    )
    with ExitStack() as stack:
        stack.callback(embedded.stop, machine.supervisord, _STOP_SECONDS)
        for server in servers:
            server.prepare()
        _wait_until_served(machine)
        yield machine


def _celery(command: str) -> list[str]:
    return [str(_BIN / "celery"), "--app", "workers.app", command, "--loglevel", "INFO"]


def _programs(settings: Settings) -> tuple[Program, ...]:
    return (
        Program("web", web_command(settings)),
        Program("worker", worker_command(), settings.workers),
        Program("beat", beat_command()),
    )


def _servers(
    settings: Settings, folder: Path
) -> tuple[list[embedded.PrivateServer], dict[str, str]]:
    """The private servers that are needed, and the environment that names them."""
    needs_private = not (settings.mongodb_url and settings.redis_url)
    if needs_private and settings.environment is Environment.PRODUCTION:
        raise InvalidSettings("in production MONGODB_URL and REDIS_URL have to name your servers")
    servers = []
    environment = {}
    if not settings.mongodb_url:
        servers.append(embedded.private_mongod(folder))
        environment["MONGODB_URL"] = servers[-1].url
    if not settings.redis_url:
        servers.append(embedded.private_redis(folder))
        environment["REDIS_URL"] = servers[-1].url
    return servers, environment


def _wait_until_served(machine: Machine) -> None:
    def is_served() -> bool:
        if machine.supervisord.poll() is not None:
            raise InvalidSettings(
                f"supervisord ended at once; {machine.logs / 'supervisord.log'} says why"
            )
        return requests.get(f"{machine.api_url}/health", timeout=5).ok

    wait_until("the API is healthy", is_served, requests.RequestException, _READY_SECONDS)


def _config(
    folder: Path, servers: tuple[Program, ...], programs: tuple[Program, ...], show_logs: bool
) -> str:
    """Groups are stopped one after the other, the programs of one all at once: servers last."""
    header = _SUPERVISORD.format(folder=_escaped(str(folder)))
    groups = [
        _group("servers", servers, 1, _SERVER_STOP_SECONDS, folder, show_logs=False),
        _group("pocketquant", programs, 2, _PROCESS_STOP_SECONDS, folder, show_logs),
    ]
    return "\n".join([header, *groups])


def _group(
    name: str,
    programs: tuple[Program, ...],
    priority: int,
    stop_seconds: int,
    folder: Path,
    show_logs: bool,
) -> str:
    if not programs:
        return ""
    sections = [_program(program, stop_seconds, folder, show_logs) for program in programs]
    names = ",".join(program.name for program in programs)
    return "\n".join([f"[group:{name}]\nprograms={names}\npriority={priority}\n", *sections])


def _program(program: Program, stop_seconds: int, folder: Path, show_logs: bool) -> str:
    file = f"{_escaped(str(folder))}/logs/{program.name}-%(process_num)d.log"
    return _PROGRAM.format(
        name=program.name,
        command=_escaped(shlex.join(tethered(program.command))),
        count=program.count,
        stop_seconds=stop_seconds,
        log="/dev/fd/1" if show_logs else file,
        most_bytes=0 if show_logs else 20_000_000,
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


_SUPERVISORD = """\
[unix_http_server]
file={folder}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/supervisor.sock

[supervisord]
logfile={folder}/logs/supervisord.log
pidfile={folder}/supervisord.pid
minfds=4096
"""

_PROGRAM = """\
[program:{name}]
command={command}
process_name=%(program_name)s-%(process_num)d
numprocs={count}
autorestart=true
startsecs=2
startretries=1000000000
stopwaitsecs={stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes={most_bytes}
"""
