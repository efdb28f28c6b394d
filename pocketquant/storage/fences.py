"""`Fences`: whose writes hold. A streamer writes for a shard only while no later one has come.

{_id: shard, token}      the largest token that has begun to write
"""

from typing import Any

from pymongo.errors import DuplicateKeyError

from pocketquant.servers.connections import Mongo


class Fences:
    """Fences by shard; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._fences = mongo["streamer_fences"]

    def raise_to(self, shard: str, token: int) -> bool:
        """From now on only holders of this token write; False where a larger one has come."""
        condition: dict[str, Any] = {"_id": shard, "token": {"$lte": token}}
        try:
            self._fences.update_one(condition, {"$set": {"token": token}}, upsert=True)
        except DuplicateKeyError:  # there is a larger one, or somebody inserts at this moment
            raised = self._fences.update_one(condition, {"$set": {"token": token}})
            return raised.matched_count == 1
        return True

    def holds(self, shard: str, token: int) -> bool:
        """Whether this is the token that writes."""
        return self._fences.find_one({"_id": shard, "token": token}, {"_id": True}) is not None
