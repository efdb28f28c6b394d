"""Runs Debian's nginx with the configuration that the guides show."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import trustme

from pocketquant.machine.embedded import HOST, reserve_port, stop
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.servers.connections import wait_until

GUIDE = Path("docs/operating.md")
_AROUND = """
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


@contextmanager
def nginx(folder: Path, web_url: str, push_url: str) -> Iterator[str]:
    """Run the proxy in front of a platform; yield its URL."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program and "CI" not in os.environ:
        pytest.skip("nginx is not installed")
    assert program, "nginx is not installed"
    authority, port = trustme.CA(), reserve_port()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "chain.pem")
    (shown,) = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    for written, ours in {
        "listen 443": f"listen {HOST}:{port}",
        "charts.example.com": HOST,
        "/etc/ssl/charts.pem": str(folder / "chain.pem"),
        "/etc/ssl/charts.key": str(folder / "key.pem"),
        "http://127.0.0.1:8001": push_url,
        "http://127.0.0.1:8000": web_url,
    }.items():
        assert written in shown
        shown = shown.replace(written, ours)
    configuration = folder / "nginx.conf"
    configuration.write_text(_AROUND.format(folder=folder, server=shown))
    command = [program, "-c", str(configuration), "-e", str(folder / "error.log")]
    process = subprocess.Popen(ending_with_parent(command))
    url = f"https://{HOST}:{port}"

    def serves() -> bool:
        trusted = str(folder / "authority.pem")
        return requests.get(f"{url}/health/live", verify=trusted, timeout=5).ok

    try:
        wait_until("nginx serves", serves, OSError, 30)
        yield url
    finally:
        stop(process)
