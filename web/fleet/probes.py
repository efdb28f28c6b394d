"""Whether the servers behind the API answer, known within seconds even where one hangs."""

import pymongo
from pymongo.errors import NotPrimaryError

from pocketquant.messaging.brokers import open_broker
from pocketquant.servers.connections import Mongo, open_redis
from web.fleet.probing import PendingReply, Reply, Server, ServerCalls

_PING_SECONDS = 2.0


class ServerProbes:
    """Pings MongoDB, Redis and the broker at the same time."""

    def __init__(self, mongo: Mongo, redis_url: str, broker_url: str) -> None:
        self._mongo = mongo
        self._redis_url = redis_url
        self._broker_url = broker_url
        self._calls = ServerCalls()

    def ping(self) -> dict[Server, Reply[None]]:
        """Return each server's reply; its `problem` is None where the server is well."""
        return {pending.server: pending.wait() for pending in self.start()}

    def start(self) -> list[PendingReply[None]]:
        """Start the pings without waiting for their replies."""
        return [
            self._calls.start(Server.MONGODB, lambda: _ping_mongodb(self._mongo)),
            self._calls.start(Server.REDIS, lambda: _ping_redis(self._redis_url)),
            self._calls.start(Server.BROKER, lambda: _ping_broker(self._broker_url)),
        ]


def _ping_mongodb(mongo: Mongo) -> None:
    """Raise NotPrimaryError where the server answers but takes no writes."""
    with pymongo.timeout(_PING_SECONDS):
        if not mongo.client.admin.command("hello")["isWritablePrimary"]:
            raise NotPrimaryError("the server can be read only")


def _ping_redis(url: str) -> None:
    with open_redis(url, _PING_SECONDS) as client:
        client.ping()


def _ping_broker(url: str) -> None:
    with open_broker(url, _PING_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0)
