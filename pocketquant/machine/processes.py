"""All processes of one machine, kept running by supervisord.

A process that dies is restarted after a growing delay; one that is stopped with `supervisorctl`
stays stopped. Private servers are among them where the settings name no server.
"""

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
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.machine.programs import Program, all_programs
from pocketquant.machine.supervisor_config import program_group, supervisor_header
from pocketquant.servers.addresses import is_loopback
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings

_SUPERVISORD = str(Path(sys.executable).parent / "supervisord")
_READY_SECONDS = 180.0  # a dozen Python programs start at once, maybe on a busy machine
_SERVER_STOP_SECONDS = 6
_PROCESS_STOP_SECONDS = 10  # or longer, as WORKER_GRACE_SECONDS needs
_AFTER_GRACE_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Machine:
    """The running installation: URLs, Flower's login, folder of logs, programs, supervisor."""

    api_url: str
    push_url: str
    flower_url: str
    flower_login: tuple[str, SecretStr]
    is_password_generated: bool  # rather than set by FLOWER_PASSWORD
    logs: Path
    programs: tuple[Program, ...]  # servers included
    supervisord: "subprocess.Popen[bytes]" = field(repr=False)

    @property
    def shown_flower_login(self) -> str:
        """User name of Flower and its password, if that was generated and is unknown so far."""
        user, password = self.flower_login
        known = "your FLOWER_PASSWORD"
        return f"{user} / {password.get_secret_value() if self.is_password_generated else known}"

    @property
    def docs_url(self) -> str:
        return f"{self.api_url}/api/v1/docs"


@contextmanager
def running(
    settings: Settings,
    folder: Path,
    extra: tuple[Program, ...] = (),
    without: frozenset[str] = frozenset(),
) -> Iterator[Machine]:
    """Run all processes while the block lasts, except the programs named in `without`.

    API and streams serve requests when the block begins; Flower may need a moment more.
    InvalidSettings where a port is taken, or where listening would be unsafe.
    """
    programs = tuple(program for program in all_programs(settings) if program.name not in without)
    _require_free_ports(settings, programs)
    folder = folder.resolve()
    data_folder.prepare(folder)
    has_own_password = bool(settings.flower_password.get_secret_value())
    if any(program.name == "flower" for program in programs):
        settings = data_folder.with_flower_password(settings, folder)
    shared_metrics.prepare(settings.api_port)
    logs = folder / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    servers = _private_servers(settings, folder)
    exposure.require_safe(settings)
    private = {server.setting: server.url for server in servers}
    process_stop_seconds = _process_stop_seconds(settings)
    server_programs = [Program(server.name, server.command) for server in servers]
    sections = (
        supervisor_header(folder),
        program_group("servers", server_programs, 1, _SERVER_STOP_SECONDS, logs),
        program_group("pocketquant", (*extra, *programs), 2, process_stop_seconds, logs),
    )
    with ExitStack() as stack:
        stack.enter_context(private_urls.announced(folder, private))
        config = folder / "supervisord.conf"
        config.touch(0o600)
        config.write_text("\n".join(sections))
        own_log = logs / "supervisord.log"
        own_log.touch(0o600)
        errors = stack.enter_context(own_log.open("ab"))
        machine = Machine(
            settings.own_api_url,
            settings.own_push_url,
            url_of(settings.flower_host, settings.flower_port),
            (settings.flower_username, settings.flower_password),
            not has_own_password,
            logs,
            (*programs, *extra, *server_programs),
            subprocess.Popen(
                ending_with_parent([_SUPERVISORD, "--nodaemon", "--configuration", str(config)]),
                env=settings.model_copy(update=private).environment_of_children(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # the lines of its log
                stderr=errors,
                umask=data_folder.UMASK,
            ),
        )
        stack.callback(embedded.stop, machine.supervisord, stop_seconds(settings))
        for server in servers:
            server.prepare()
        _wait_until_served(machine, programs, _health_path(settings))
        yield machine


def stop_seconds(settings: Settings) -> int:
    """Return how long all processes may take to end, servers after the programs that use them."""
    return _process_stop_seconds(settings) + _SERVER_STOP_SECONDS + _AFTER_GRACE_SECONDS


def _process_stop_seconds(settings: Settings) -> int:
    return max(_PROCESS_STOP_SECONDS, ceil(settings.worker_grace_seconds) + _AFTER_GRACE_SECONDS)


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


def _private_servers(settings: Settings, folder: Path) -> list[embedded.PrivateServer]:
    """Return the servers that no setting names, still to be started."""
    needs_private = not (settings.mongodb_url and settings.redis_url)
    if needs_private and not settings.is_development:
        raise InvalidSettings("in production MONGODB_URL and REDIS_URL have to name your servers")
    servers = []
    if not settings.mongodb_url:
        servers.append(embedded.private_mongod(folder))
    if not settings.redis_url:
        servers.append(embedded.private_redis(folder))
        if not settings.cache_url:
            servers.append(embedded.private_cache(folder))
    return servers


def _wait_until_served(machine: Machine, programs: tuple[Program, ...], path: str) -> None:
    urls_by_program = {"web": machine.api_url, "push": machine.push_url}
    urls = [urls_by_program[each.name] for each in programs if each.name in urls_by_program]

    def are_served() -> bool:
        if machine.supervisord.poll() is not None:
            raise InvalidSettings(
                f"supervisord ended at once; {machine.logs / 'supervisord.log'} says why"
            )
        return all(requests.get(f"{url}{path}", timeout=5).ok for url in urls)

    wait_until("the API is healthy", are_served, requests.RequestException, _READY_SECONDS)


def _health_path(settings: Settings) -> str:
    """Return the fullest health check that needs no key: `/health` where the API is open."""
    is_open = settings.is_development and all(
        is_loopback(host) for host in (settings.api_host, settings.push_host)
    )
    return "/health" if is_open else "/health/live"
