"""MongoDB as a replica set of several members on this machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pymongo
from pymongo.errors import ConnectionFailure

from pocketquant.machine import embedded
from pocketquant.servers.connections import wait_until


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """The set, by the addresses of its members, which run already or will soon."""

    addresses: tuple[str, ...]

    @property
    def url(self) -> str:
        return f"mongodb://{','.join(self.addresses)}/?replicaSet={embedded.REPLICA_SET}"

    def initiate(self) -> None:
        """Initiate the set; it elects a primary within seconds."""
        for address in self.addresses:
            with _member(address) as member:
                ping = partial(member.admin.command, "ping")
                wait_until("it answers", ping, ConnectionFailure, 60)
        members = [{"_id": n, "host": address} for n, address in enumerate(self.addresses)]
        settings = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}
        config = {"_id": embedded.REPLICA_SET, "members": members, "settings": settings}
        with _member(self.addresses[0]) as member:
            member.admin.command("replSetInitiate", config)
        wait_until("there is a primary", self.primary, ConnectionFailure, 60)

    def primary(self) -> str:
        """Return the address of the primary; raise ConnectionFailure if there is none."""
        with pymongo.MongoClient[dict[str, Any]](self.url, serverSelectionTimeoutMS=2000) as client:
            return str(client.admin.command("hello")["me"])

    def step_down(self, seconds: int = 60) -> None:
        """Make the primary step down, and stay secondary for these seconds."""
        with pymongo.MongoClient[dict[str, Any]](self.url, serverSelectionTimeoutMS=5000) as client:
            client.admin.command("replSetStepDown", seconds)

    def wait_for_another(self, than: str) -> None:
        """Wait until another member is primary."""
        wait_until("it is another", lambda: self.primary() != than, ConnectionFailure, 30)


def address_of(server: embedded.PrivateServer) -> str:
    """`HOST:PORT` of a private mongod."""
    command: Iterable[str] = server.command
    arguments = list(command)
    return f"{embedded.HOST}:{arguments[arguments.index('--port') + 1]}"


def _member(address: str) -> "pymongo.MongoClient[dict[str, Any]]":
    return pymongo.MongoClient(address, directConnection=True)
