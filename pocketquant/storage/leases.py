"""`Lease`: for how long an attempt holds its unit, as MongoDB judges it within a write.

A worker that stalls between a look at its lease and a write can't know that another has taken the
unit over meanwhile. So the write itself carries the end of the lease, and the server, whose clock
every lease is judged by, refuses it once that is over.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pocketquant.domain.errors import LeaseLost

REFUSED = 241  # MongoDB's code for a text that is no number


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of one attempt at a unit."""

    unit_id: str
    attempt: int
    until: datetime

    def holds(self) -> dict[str, Any]:
        """The expression that is true until the lease ends."""
        return {"$lt": ["$$NOW", self.until]}

    def fenced(self, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """The update that sets the fields of a document with a text as its `_id`, or fails.

        It fails once the lease is over or where a later attempt has written, and says so with the
        code `REFUSED`. An upsert can't carry such a condition: it would insert what is refused.
        """
        later = {"$gt": ["$writer.attempt", self.attempt]}
        is_overtaken = {"$and": [{"$eq": ["$writer.unit", self.unit_id]}, later]}
        may_write = {"$and": [self.holds(), {"$not": [is_overtaken]}]}
        writer = {"unit": self.unit_id, "attempt": self.attempt}
        failure = {"$toInt": "$_id"}
        literal = {name: {"$literal": value} for name, value in fields.items()}
        return [{"$set": {**literal, "writer": {"$cond": [may_write, writer, failure]}}}]

    def lost(self) -> LeaseLost:
        """The error for a write that was refused."""
        return LeaseLost(f"the lease of unit {self.unit_id}, attempt {self.attempt}, is over")
