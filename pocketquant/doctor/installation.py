"""Check this machine: packages, data folder, limits, ports, passwords, private servers."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

import requests
from packaging.requirements import Requirement

from pocketquant.doctor.findings import Finding, broken, ok, skipped, warning
from pocketquant.domain.errors import InvalidSettings
from pocketquant.machine.embedded import is_in_use, mongod_program, redis_program
from pocketquant.machine.exposure import has_known_password
from pocketquant.servers.addresses import is_loopback
from pocketquant.settings import Settings

_OLDEST_PYTHON = (3, 11)
_FEW_FILES = 4096
_ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  # compared with, not bound
_OWN_PASSWORD = "set FLOWER_PASSWORD to a password of your own"  # noqa: S105  # a remedy, no password
_PROGRAM_SECONDS = 5
_HTTP_SECONDS = 3


def packages() -> Iterator[Finding]:
    """Check the versions of Python and of the required packages."""
    running = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        yield broken("python", f"Python {running}", "install Python 3.11 or newer")
    else:
        yield ok("python", f"Python {running}")
    problems = [text for each in _requirements() if (text := _version_problem(each))]
    for text in problems:
        yield broken("packages", text, "`pip install '.[server]'` in a checkout of PocketQuant")
    if not problems:
        yield ok("packages", "all are installed, in supported versions")


def _requirements() -> Iterator[Requirement]:
    for line in requires("pocketquant") or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "server"}):
            yield requirement


def _version_problem(requirement: Requirement) -> str | None:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing; {requirement} is needed"
    if requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name} is {found}; {requirement} is needed"


def data_folder(settings: Settings) -> Iterator[Finding]:
    """Check that `up` can write to its data folder."""
    folder = settings.data_dir.absolute()
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            yield ok("data dir", f"{folder} can be written")
    except OSError as error:
        yield broken(
            "data dir",
            f"{folder} can't be written: {error.strerror}",
            f"make {nearest} a folder this user may write to, or set DATA_DIR to another",
        )


def open_files() -> Iterator[Finding]:
    """Check the limit of open files, which bounds streams and connections."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < _FEW_FILES:
        remedy = f"`ulimit -n {_FEW_FILES * 4}`, or LimitNOFILE= of the service"
        yield warning("open files", f"a process may open {soft} files", remedy)
    else:
        yield ok("open files", f"a process may open {soft if soft >= 0 else 'any number of'} files")


def production(settings: Settings) -> Iterator[Finding]:
    """Check for settings of development that are dangerous on a server."""
    if settings.is_development:
        yield from _development(settings)
    elif has_known_password(settings):
        yield broken("passwords", "production with Flower's default password", _OWN_PASSWORD)
    else:
        yield ok("environment", "production, no default password")


def _development(settings: Settings) -> Iterator[Finding]:
    hosts = ("api_host", "push_host", "flower_host")
    exposed = [name.upper() for name in hosts if not is_loopback(getattr(settings, name))]
    is_set = settings.flower_password.get_secret_value()  # otherwise one is generated
    if "FLOWER_HOST" in exposed and is_set and has_known_password(settings):
        found = "other machines can reach Flower, which has a published password"
        yield broken("passwords", found, _OWN_PASSWORD)
    if exposed:
        yield warning(
            "environment",
            f"ENVIRONMENT=development, and other machines can reach {', '.join(exposed)}",
            "set ENVIRONMENT=production, or the hosts to 127.0.0.1",
        )
    else:
        yield ok("environment", "development, reachable from this machine only")


def private_servers(settings: Settings) -> Iterator[Finding]:
    """Check that `up` can start the servers that no URL names."""
    for name, setting, url in (
        ("mongod", "MONGODB_URL", settings.mongodb_url),
        ("redis-server", "REDIS_URL", settings.redis_url),
    ):
        if url:
            yield skipped(f"private {name}", f"not needed: {setting} is set")
        elif not settings.is_development:
            found = f"{setting} is empty; in production no private server is started"
            yield broken(f"private {name}", found, f"set {setting} to a server of yours")
        else:
            yield _private_server(name)


def _private_server(name: str) -> Finding:
    """Run the program: it may lack a library of the system."""
    check = f"private {name}"
    try:
        program = mongod_program() if name == "mongod" else redis_program()
        ran = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_PROGRAM_SECONDS
        )
    except InvalidSettings as error:
        return broken(check, f"there is no {name}", str(error))
    except (OSError, subprocess.TimeoutExpired) as error:
        return broken(check, f"{name} does not run: {error}", f"install {name} again")
    if ran.returncode == 0:
        return ok(check, program)
    output = (ran.stderr or ran.stdout).strip()
    package = "libcurl4" if "libcurl" in output else f"the library that {name} misses"
    return broken(check, f"{name} does not run: {output[:200]}", f"apt-get install {package}")


def listening_programs(settings: Settings) -> Iterator[Finding]:
    """Check that API, push and Flower run, and that no other program uses their ports."""
    for name, host, port in (
        ("api", settings.api_host, settings.api_port),
        ("push", settings.push_host, settings.push_port),
    ):
        yield _http_server(name, host, port)
    host = _reachable(settings.flower_host)
    if is_in_use(host, settings.flower_port):
        yield ok("flower", f"something listens on {host}:{settings.flower_port}")
    else:
        yield skipped("flower", f"port {settings.flower_port} is free: not running")


def _http_server(name: str, host: str, port: int) -> Finding:
    url = f"http://{_reachable(host)}:{port}"
    setting = f"{name.upper()}_PORT"
    if not is_in_use(_reachable(host), port):
        remedy = f"`pocketquant up`, or `pocketquant {'web' if name == 'api' else name}`"
        return warning(name, f"nothing listens at {url}: the port is free", remedy)
    try:
        answer = requests.get(f"{url}/health/live", timeout=_HTTP_SECONDS)
        is_ours = answer.status_code == requests.codes.ok and answer.json() == {"status": "ok"}
    except (requests.RequestException, ValueError):
        is_ours = False
    if is_ours:
        return ok(name, f"answers at {url}")
    remedy = f"end the program on port {port} (`ss -ltnp 'sport = :{port}'`), or set {setting}"
    return broken(name, f"another program uses port {port}, or the API hangs", remedy)


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in _ANYWHERE else host
