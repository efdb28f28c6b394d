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
from math import ceil
from pathlib import Path

import requests
from pydantic import SecretStr

from pocketquant.api_settings import url_of
from pocketquant.domain.errors import InvalidSettings
from pocketquant.machine import data_folder, embedded, exposure, private_urls, shared_metrics
from pocketquant.machine.parent_death import tethered
from pocketquant.machine.programs import NUMBER, Program, all_programs
from pocketquant.servers.addresses import is_loopback
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Environment, Settings

_SUPERVISORD = str(Path(sys.executable).parent / "supervisord")
_READY_SECONDS = 180.0  # a dozen Python programs start at once, maybe on a busy machine
_SERVER_STOP_SECONDS = 6
_PROCESS_STOP_SECONDS = 10  # or what a worker's grace needs
_AFTER_GRACE_SECONDS = 4
_PROCESS_NUMBER = "%(process_num)d"  # filled in by supervisord


@dataclass(frozen=True, slots=True)
class Machine:
    """The running processes: where they answer, where the logs are."""

    api_url: str
    push_url: str
    flower_url: str
    flower_login: tuple[str, SecretStr]
    logs: Path
    supervisord: "subprocess.Popen[bytes]" = field(repr=False)

    @property
    def shown_flower_login(self) -> str:
        """User name and password of Flower, for the person at this machine."""
        user, password = self.flower_login
        return f"{user} / {password.get_secret_value()}"

    @property
    def docs_url(self) -> str:
        return f"{self.api_url}/api/v1/docs"


@contextmanager
def running(
    settings: Settings,
    folder: Path,
    extra: tuple[Program, ...] = (),
    without: frozenset[str] = frozenset(),
    show_logs: bool = False,
) -> Iterator[Machine]:
    """All processes for as long as the block lasts, but for the programs named in `without`.

    Requests are served when the block begins; Flower may need a moment more.
    """
    programs = tuple(one for one in all_programs(settings) if one.name not in without)
    _require_free_ports(settings, programs)
    folder = folder.resolve()
    data_folder.prepare(folder)
    if any(program.name == "flower" for program in programs):
        settings = data_folder.with_flower_password(settings, folder)
    shared_metrics.prepare(settings.api_port)
    logs = folder / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    servers, environment = _servers(settings, folder)
    exposure.require_safe(settings)
    private = tuple(Program(server.name, server.command) for server in servers)
    config = folder / "supervisord.conf"
    process_stop_seconds = max(
        _PROCESS_STOP_SECONDS, ceil(settings.worker_grace_seconds) + _AFTER_GRACE_SECONDS
    )
    with ExitStack() as stack:
        stack.enter_context(private_urls.announced(folder, _lowered(environment)))
        config.touch(0o600)
        config.write_text(
            _config(folder, private, (*extra, *programs), process_stop_seconds, show_logs)
        )
        machine = Machine(
            settings.own_api_url,
            settings.own_push_url,
            url_of(settings.flower_host, settings.flower_port),
            (settings.flower_username, settings.flower_password),
            logs,
            subprocess.Popen(
                tethered([_SUPERVISORD, "--nodaemon", "--configuration", str(config)]),
                env=settings.environment_of_children(environment),
                stdout=None if show_logs else subprocess.DEVNULL,
                umask=data_folder.UMASK,
            ),
        )
        patience = process_stop_seconds + _SERVER_STOP_SECONDS + _AFTER_GRACE_SECONDS
        stack.callback(embedded.stop, machine.supervisord, patience)
        for server in servers:
            server.prepare()
        _wait_until_served(machine, programs, _health_path(settings))
        yield machine


def _require_free_ports(settings: Settings, programs: tuple[Program, ...]) -> None:
    addresses = {
        "web": ("API_PORT", settings.api_host, settings.api_port),
        "push": ("PUSH_PORT", settings.push_host, settings.push_port),
        "flower": ("FLOWER_PORT", settings.flower_host, settings.flower_port),
    }
    for program in programs:
        if program.name in addresses:
            name, host, port = addresses[program.name]
            if embedded.is_in_use(host, port):
                raise InvalidSettings(f"{url_of(host, port)} is taken; set {name} to a free port")


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
        if not settings.cache_url:
            servers.append(embedded.private_cache(folder))
            environment["CACHE_URL"] = servers[-1].url
    return servers, environment


def _lowered(environment: dict[str, str]) -> dict[str, str]:
    """The settings that variables of the environment set."""
    return {name.lower(): value for name, value in environment.items()}


def _wait_until_served(machine: Machine, programs: tuple[Program, ...], path: str) -> None:
    waited_for = {"web": machine.api_url, "push": machine.push_url}
    urls = [waited_for[one.name] for one in programs if one.name in waited_for]

    def are_served() -> bool:
        if machine.supervisord.poll() is not None:
            raise InvalidSettings(
                f"supervisord ended at once; {machine.logs / 'supervisord.log'} says why"
            )
        return all(requests.get(f"{url}{path}", timeout=5).ok for url in urls)

    wait_until("the API is healthy", are_served, requests.RequestException, _READY_SECONDS)


def _health_path(settings: Settings) -> str:
    """What tells that requests are served, without a key: all of it where none is needed."""
    is_open = settings.is_development and all(
        is_loopback(host) for host in (settings.api_host, settings.push_host)
    )
    return "/health" if is_open else "/health/live"


def _config(
    folder: Path,
    servers: tuple[Program, ...],
    programs: tuple[Program, ...],
    process_stop_seconds: int,
    show_logs: bool,
) -> str:
    """Groups are stopped one after the other, the programs of one all at once: servers last."""
    header = _CONFIG.format(folder=_escaped(str(folder)))
    groups = [
        _group("servers", servers, 1, _SERVER_STOP_SECONDS, folder, show_logs=False),
        _group("pocketquant", programs, 2, process_stop_seconds, folder, show_logs),
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
    file = f"{_escaped(str(folder))}/logs/{program.name}-{_PROCESS_NUMBER}.log"
    return _PROGRAM.format(
        name=program.name,
        command=_escaped(shlex.join(tethered(program.command))).replace(NUMBER, _PROCESS_NUMBER),
        count=program.count,
        stop_seconds=stop_seconds,
        log="/dev/fd/1" if show_logs else file,
        most_bytes=0 if show_logs else 20_000_000,
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


_CONFIG = """\
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
