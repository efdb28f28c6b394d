"""Runs Debian's nginx and Caddy with the configurations that the guides show."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests
import trustme

from pocketquant.machine.embedded import HOST, reserve_port, stop
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.servers.connections import wait_until

GUIDE = Path("docs/operating.md")
_AROUND_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
{server}
}}
"""
_AROUND_CADDY = """
{{
    admin off
    storage file_system {folder}
    auto_https disable_redirects
    default_bind {host}
}}
{site}
"""

Proxy = Callable[[Path, str, str], AbstractContextManager[str]]


@contextmanager
def nginx(folder: Path, web_url: str, push_url: str) -> Iterator[str]:
    """Run nginx in front of a platform; yield its URL."""
    program, port = _program("nginx"), reserve_port()
    _certify(folder)
    ours = {
        "listen 443": f"listen {HOST}:{port}",
        "charts.example.com": HOST,
        "/etc/ssl/charts.pem": str(folder / "chain.pem"),
        "/etc/ssl/charts.key": str(folder / "key.pem"),
        "http://127.0.0.1:8001": push_url,
        "http://127.0.0.1:8000": web_url,
    }
    configuration = folder / "nginx.conf"
    configuration.write_text(_AROUND_NGINX.format(folder=folder, server=_shown("nginx", ours)))
    command = [program, "-c", str(configuration), "-e", str(folder / "error.log")]
    with _serving(command, folder, port) as url:
        yield url


@contextmanager
def caddy(folder: Path, web_url: str, push_url: str) -> Iterator[str]:
    """Run Caddy in front of a platform, with a certificate of the test's own; yield its URL."""
    program, port = _program("caddy"), reserve_port()
    _certify(folder)
    certificate = f"tls {folder}/chain.pem {folder}/key.pem"
    ours = {
        "charts.example.com {": f"https://{HOST}:{port} {{\n    {certificate}",
        "127.0.0.1:8001": push_url,
        "127.0.0.1:8000": web_url,
    }
    configuration = folder / "Caddyfile"
    site = _shown("caddyfile", ours)
    configuration.write_text(_AROUND_CADDY.format(folder=folder, host=HOST, site=site))
    command = [program, "run", "--adapter", "caddyfile", "--config", str(configuration)]
    with _serving(command, folder, port) as url:
        yield url


def _program(name: str) -> str:
    """Return the path of the program; skip the test where there is none, except in CI."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not program and "CI" not in os.environ:
        pytest.skip(f"{name} is not installed")
    assert program, f"{name} is not installed"
    return program


def _certify(folder: Path) -> None:
    """Write a certificate for this host, its key, and the authority that a client may trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "chain.pem")


def _shown(language: str, ours: dict[str, str]) -> str:
    """Return the block of this language in the guide, with our addresses and files."""
    (shown,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    for written, replacement in ours.items():
        assert written in shown
        shown = shown.replace(written, replacement)
    return str(shown)


@contextmanager
def _serving(command: list[str], folder: Path, port: int) -> Iterator[str]:
    url = f"https://{HOST}:{port}"

    def serves() -> bool:
        trusted = str(folder / "authority.pem")
        return requests.get(f"{url}/health/live", verify=trusted, timeout=5).ok

    with (folder / "proxy.log").open("wb") as log:
        environment = {**os.environ, "HOME": str(folder)}
        process = subprocess.Popen(
            ending_with_parent(command), stdout=log, stderr=log, env=environment
        )
        try:
            wait_until(f"{command[0]} serves", serves, OSError, 30)
            yield url
        finally:
            stop(process)
