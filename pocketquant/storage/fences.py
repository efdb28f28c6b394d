"""`Fences`: the token of the streamer that may write for each shard: the newest one.

{_id: shard, token}      the largest token that has begun to write
"""

from typing import Any

from pymongo.errors import DuplicateKeyError

from pocketquant.servers.connections import Mongo


class Fences:
    """One fence a shard; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._fences = mongo["streamer_fences"]

    def raise_to(self, shard: str, token: int) -> bool:
        """Admit only writers with this token from now on; False if a larger one has come."""
        condition: dict[str, Any] = {"_id": shard, "token": {"$lte": token}}
        try:
            self._fences.update_one(condition, {"$set": {"token": token}}, upsert=True)
        except DuplicateKeyError:  # a larger one is there, or another call inserts right now
            raised = self._fences.update_one(condition, {"$set": {"token": token}})
            return raised.matched_count == 1
        return True

    def holds(self, shard: str, token: int) -> bool:
        """Whether writers with this token are admitted."""
        return self._fences.find_one({"_id": shard, "token": token}, {"_id": True}) is not None
