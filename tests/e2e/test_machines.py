"""A worker on another machine: a network namespace from which little can be reached."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from pymongo.uri_parser import parse_uri

from pocketquant import embedded
from pocketquant.connections import wait_until
from pocketquant.tether import tethered

pytestmark = pytest.mark.fault

SYNCS = 80
THERE = "elsewhere"  # the host name there
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
    """A network of its own, joined to this one by a cable; `address` is this end of it."""

    name: str
    address: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """What runs a command there, under a host name of its own."""
        renamed = f'echo {THERE} > /proc/sys/kernel/hostname && exec "$@"'
        return (*self._inside, "unshare", "--uts", "sh", "-c", renamed, "sh")

    def reached(self, addresses: list[tuple[str, int]]) -> list[bool]:
        command = [*self._inside, sys.executable, "-c", REACH, json.dumps(addresses)]
        answer = subprocess.run(command, check=True, capture_output=True, timeout=60)
        return list(json.loads(answer.stdout))

    @property
    def _inside(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    """Skipped where the kernel or the user's rights allow none."""
    allowed = os.geteuid() == 0 and succeeds("unshare", "--net", "--uts", "true")
    if not allowed:
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
def redis_there(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A redis-server on this end of the cable."""
    server = embedded.private_redis(tmp_path_factory.mktemp("redis"))
    command = [namespace.address if part == embedded.HOST else part for part in server.command]
    url = server.url.replace(embedded.HOST, namespace.address)
    process = subprocess.Popen(tethered([*command, "--protected-mode", "no"]))
    try:
        with redis.Redis.from_url(url) as client:
            wait_until("redis-server answers", client.ping, redis.RedisError, 60)
        yield url
    finally:
        embedded.stop(process)


def test_a_worker_elsewhere_takes_its_share(
    namespace: Namespace,
    redis_there: str,
    start_replica_set: Any,
    start_platform: Any,
    start_simulator: Any,
    start_worker: Any,
) -> None:
    """With broker, store and provider reachable, and nothing else, it works like one here."""
    mongodb = start_replica_set(1, namespace.address)
    asked_here, asked_there = (start_simulator(host=namespace.address) for _ in range(2))
    for provider in (asked_here, asked_there):
        provider.order("latency", None, 0.3)
    with start_platform(
        frozenset({"flower", "interactive", "push"}),
        mongodb_url=mongodb.url,
        redis_url=redis_there,
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
        assert min(shares) >= SYNCS // 4
        assert [] == platform.wrong_series(wanted)

        needed = [parse_uri(mongodb.url)["nodelist"][0], at(redis_there), at(asked_there.url)]
        assert [True] * 3 == namespace.reached(needed)
        _, api_port = at(platform.url)
        others = [(embedded.HOST, api_port), (namespace.address, api_port), OUTSIDE]
        assert [False] * 3 == namespace.reached(others)


def at(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port
