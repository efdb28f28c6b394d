"""Whether the servers behind the API answer, known within seconds even where one hangs."""

import pymongo
from pymongo.errors import NotPrimaryError

from pocketquant.messaging.brokers import open_broker
from pocketquant.servers.connections import Mongo, open_redis
from web.fleet.questions import Asker, Pending, Reply, Server

_PROBE_SECONDS = 2.0


class Probes:
    """Asks all servers at once."""

    def __init__(self, mongo: Mongo, redis_url: str, broker_url: str) -> None:
        self._mongo = mongo
        self._redis_url = redis_url
        self._broker_url = broker_url
        self._asker = Asker()

    def ask(self) -> dict[Server, Reply[None]]:
        """What each server says: nothing, or the problem."""
        return {pending.server: pending.reply() for pending in self.begin()}

    def begin(self) -> list[Pending[None]]:
        """The questions, for who has others to ask meanwhile."""
        return [
            self._asker.ask(Server.MONGODB, lambda: _ping_mongodb(self._mongo)),
            self._asker.ask(Server.REDIS, lambda: _ping_redis(self._redis_url)),
            self._asker.ask(Server.BROKER, lambda: _ping_broker(self._broker_url)),
        ]


def _ping_mongodb(mongo: Mongo) -> None:
    """NotPrimaryError where it answers, but can't be written to."""
    with pymongo.timeout(_PROBE_SECONDS):
        if not mongo.client.admin.command("hello")["isWritablePrimary"]:
            raise NotPrimaryError("the server can be read only")


def _ping_redis(url: str) -> None:
    with open_redis(url, _PROBE_SECONDS) as client:
        client.ping()


def _ping_broker(url: str) -> None:
    with open_broker(url, _PROBE_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0)
