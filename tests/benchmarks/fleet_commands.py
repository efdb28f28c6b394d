"""The commands that a unit sends to each server, as the servers count them."""

from collections import Counter
from typing import Any

import redis

from pocketquant.servers.connections import Mongo
from tests.benchmarks.fleet_machine import Machine

# Commands of one unit that syncs a new series; docs/benchmarks.md explains each.
MONGODB = {"findAndModify": 5, "update": 2, "find": 1.1, "aggregate": 1}
CACHE = {"evalsha": 2, "unlink": 1, "publish": 2}
BROKER = {"lpush": 1, "brpop": 1, "exec": 2, "publish": 0.1}  # exec: zadd and hset; zrem and hdel


class Commands:
    """Counts the commands after its start."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._before = self._counts()

    def since(self, units: int) -> dict[str, Counter[str]]:
        """Return the commands by server and name, per unit."""
        now = self._counts()
        return {
            server: Counter(
                {name: (count - self._before[server][name]) / units for name, count in all_.items()}
            )
            for server, all_ in now.items()
        }

    def _counts(self) -> dict[str, Counter[str]]:
        return {
            "MongoDB": _of_mongodb(self._machine.platform.mongo),
            "cache": _of_redis(self._machine.platform.cache),
            "broker": _of_redis(self._machine.broker),
        }


def _of_mongodb(mongo: Mongo) -> Counter[str]:
    commands: dict[str, Any] = mongo.command("serverStatus")["metrics"]["commands"]
    return Counter(
        {name: each["total"] for name, each in commands.items() if isinstance(each, dict)}
    )


def _of_redis(server: redis.Redis) -> Counter[str]:
    stats: dict[str, Any] = server.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()})
