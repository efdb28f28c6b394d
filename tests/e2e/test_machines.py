"""A worker on another machine, which is a network namespace with few reachable ports."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo.uri_parser import parse_uri

from pocketquant.machine import embedded
from pocketquant.servers.connections import wait_until

pytestmark = pytest.mark.fault

SYNCS = 80
THERE = "elsewhere"  # the host name there
RENAME = f"echo {THERE} > /proc/sys/kernel/hostname"
OUTSIDE = ("192.0.2.1", 80)

# Tries to connect to each address and prints whether that went well.
REACH = """
import json, socket, sys
def is_reached(host, port):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, port)) == 0
print(json.dumps([is_reached(*address) for address in json.loads(sys.argv[1])]))
"""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace, linked to this one; `address` is this end of the link."""

    name: str
    address: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """The prefix of a command to run in the namespace, under another host name."""
        return (*self._inside, "unshare", "--uts", "sh", "-c", f'{RENAME} && exec "$@"', "sh")

    def reached(self, addresses: list[tuple[str, int]]) -> list[bool]:
        command = [*self._inside, sys.executable, "-c", REACH, json.dumps(addresses)]
        answer = subprocess.run(command, check=True, capture_output=True, timeout=60)
        return list(json.loads(answer.stdout))

    @property
    def _inside(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    """A namespace; tests are skipped if kernel or user rights allow none."""
    is_root = os.geteuid() == 0 and shutil.which("unshare")
    if not is_root or not succeeds("unshare", "--net", "--uts", "sh", "-c", RENAME):
        pytest.skip("network namespaces need root, and a kernel or container that allows them")
    if not shutil.which("ip") and "CI" not in os.environ:
        pytest.skip("ip (iproute2) is not installed")
    with joined_namespace(f"pq{os.getpid()}", f"10.200.{os.getpid() % 256}") as made:
        yield made


@contextmanager
def joined_namespace(name: str, network: str) -> Iterator[Namespace]:
    here, there = f"{name}h", f"{name}t"
    ip("netns", "add", name)
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("address", "add", f"{network}.1/24", "dev", here)
        ip("link", "set", here, "up")
        ip("-netns", name, "address", "add", f"{network}.2/24", "dev", there)
        ip("-netns", name, "link", "set", there, "up")
        ip("-netns", name, "link", "set", "lo", "up")
        yield Namespace(name, f"{network}.1")
    finally:
        succeeds("ip", "link", "delete", here)
        ip("netns", "delete", name)


def ip(*arguments: str) -> None:
    assert succeeds("ip", *arguments), arguments


def succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0


@pytest.fixture(scope="module")
def servers(
    namespace: Namespace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A mongod and a redis-server that also listen on this end of the link."""
    folder = tmp_path_factory.mktemp("servers")
    mongod, redis = embedded.private_mongod(folder), embedded.private_redis(folder)
    both = f"{embedded.HOST},{namespace.address}"
    at_both = [both if part == embedded.HOST else part for part in mongod.command]
    open_to_all = ("--bind", *both.split(","), "--protected-mode", "no")
    _, port = parse_uri(mongod.url)["nodelist"][0]
    mongod = replace(mongod, command=at_both)
    redis = replace(redis, command=[*redis.command, *open_to_all])
    with embedded.running(mongod), embedded.running(redis):
        yield {
            "mongodb_url": f"mongodb://{namespace.address}:{port}/?directConnection=true",
            "redis_url": redis.url.replace(embedded.HOST, namespace.address),
        }


def test_a_worker_elsewhere_takes_its_share(
    namespace: Namespace,
    servers: dict[str, str],
    start_platform: Any,
    start_simulator: Any,
    start_worker: Any,
) -> None:
    """A worker that reaches only broker, store and provider works like a local one."""
    asked_here, asked_there = (start_simulator(host=namespace.address) for _ in range(2))
    for provider in (asked_here, asked_there):
        provider.order("latency", None, 0.3)
    with start_platform(
        frozenset({"flower", "interactive", "push"}),
        **servers,
        tradingview_url=asked_here.url,
        tradingview_http_url=asked_here.http_url,
    ) as platform:
        start_worker(platform, asked_there, prefix=namespace.prefix)

        def hosts() -> set[str]:
            return {worker["host"] for worker in platform.fleet()["workers"]}

        wait_until("both are listed", lambda: hosts() == {socket.gethostname(), THERE}, (), 60)
        wanted = [f"SIM:S{4400 + n:04}" for n in range(SYNCS)]
        job_id = platform.sync_in_bulk(wanted)
        counts = platform.wait_for_job(job_id)["counts"]
        assert (SYNCS, SYNCS) == (counts["total"], counts["completed"])
        shares = [provider.tally.served.total() for provider in (asked_here, asked_there)]
        assert SYNCS == sum(shares)
        assert min(shares) >= SYNCS // 8
        assert [] == platform.wrong_series(wanted)

        needed = [at(url) for url in (*servers.values(), asked_there.url)]
        assert [True] * 3 == namespace.reached(needed)
        _, api_port = at(platform.url)
        others = [(embedded.HOST, api_port), (namespace.address, api_port), OUTSIDE]
        assert [False] * 3 == namespace.reached(others)


def at(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port
