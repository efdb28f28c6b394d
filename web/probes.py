"""Whether the servers behind the API answer, known within seconds even where one hangs."""

import kombu
import pymongo
from pymongo.errors import NotPrimaryError

from pocketquant.connections import Mongo, open_redis
from web.questions import Asker, Reply

_PROBE_SECONDS = 2.0
_SERVERS = ("mongodb", "redis", "broker")


class Probes:
    """Asks all servers at once."""

    def __init__(self, mongo: Mongo, redis_url: str, broker_url: str) -> None:
        self._mongo = mongo
        self._redis_url = redis_url
        self._broker_url = broker_url
        self._asker = Asker(_SERVERS)

    def ask(self) -> dict[str, Reply[None]]:
        """What each server says: nothing, or the problem."""
        asked = [
            self._asker.ask("mongodb", lambda: _ping_mongodb(self._mongo)),
            self._asker.ask("redis", lambda: _ping_redis(self._redis_url)),
            self._asker.ask("broker", lambda: _ping_broker(self._broker_url)),
        ]
        return {pending.server: pending.reply() for pending in asked}


def _ping_mongodb(mongo: Mongo) -> None:
    """NotPrimaryError where it answers, but can't be written to."""
    with pymongo.timeout(_PROBE_SECONDS):
        if not mongo.client.admin.command("hello")["isWritablePrimary"]:
            raise NotPrimaryError("the server can be read only")


def _ping_redis(url: str) -> None:
    with open_redis(url, _PROBE_SECONDS) as client:
        client.ping()


def _ping_broker(url: str) -> None:
    limits = {"socket_timeout": _PROBE_SECONDS, "socket_connect_timeout": _PROBE_SECONDS}
    with kombu.Connection(url, connect_timeout=_PROBE_SECONDS, transport_options=limits) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0)
