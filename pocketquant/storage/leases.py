"""`UnitLease`: lets an attempt at a unit write only while it holds the unit.

A worker that stalls between checking its lease and writing cannot notice that another worker took
the unit meanwhile. So the write carries the end of the lease, and the server, whose clock decides
about all leases, refuses the write after that time.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pocketquant.domain.errors import LeaseLost

REFUSED = 241  # MongoDB's code for a text that is not a number


@dataclass(frozen=True, slots=True)
class UnitLease:
    """The lease of one attempt at a unit."""

    unit_id: str
    attempt: int
    until: datetime

    def holds(self) -> dict[str, Any]:
        """Return the expression that is true until the lease ends."""
        return {"$lt": ["$$NOW", self.until]}

    def fenced(self, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the update that sets the fields of a document, whose `_id` must be a text.

        After the lease has ended, or after a later attempt has written, the server refuses the
        update with the code `REFUSED`. An upsert cannot have such a condition: it would insert.
        """
        later = {"$gt": ["$writer.attempt", self.attempt]}
        is_overtaken = {"$and": [{"$eq": ["$writer.unit", self.unit_id]}, later]}
        may_write = {"$and": [self.holds(), {"$not": [is_overtaken]}]}
        writer = {"unit": self.unit_id, "attempt": self.attempt}
        failure = {"$toInt": "$_id"}
        literal = {name: {"$literal": value} for name, value in fields.items()}
        return [{"$set": {**literal, "writer": {"$cond": [may_write, writer, failure]}}}]

    def lost(self) -> LeaseLost:
        """Return the error to raise for a refused write."""
        return LeaseLost(f"the lease of unit {self.unit_id}, attempt {self.attempt}, is over")
