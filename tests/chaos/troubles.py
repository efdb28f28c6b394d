"""`Troubles`: causes the faults of the plan, and repairs them."""

from contextlib import suppress
from dataclasses import dataclass
from threading import Event

import pymongo.errors
import redis
import requests

from tests.chaos.events import EventLog
from tests.chaos.machine import Machine
from tests.chaos.plan import PRIMARY, SICK, SICKNESS, Harm, Trouble

_STEP_DOWN_SECONDS = 20

# A server that is away is not harmed again; data that it loses need no repair.
_AWAY = (pymongo.errors.PyMongoError, redis.RedisError, requests.RequestException)


@dataclass(frozen=True, slots=True)
class Troubles:
    """Causes and repairs the faults of a machine."""

    machine: Machine
    events: EventLog
    is_over: Event

    def do(self, trouble: Trouble) -> None:
        """Begin the trouble, wait until it is over, and repair the damage."""
        targets = self._resolved(trouble.targets)
        what = {"harm": trouble.harm, "targets": ",".join(targets), "fault": trouble.fault or None}
        self.events.note("trouble", **what, seconds=round(trouble.seconds, 1))
        try:
            with suppress(*_AWAY):
                self._begin(trouble, targets)
            self.is_over.wait(trouble.seconds)
        finally:
            with suppress(*_AWAY):
                self._mend(trouble, targets)
            self.events.note("repaired", **what)

    def heal(self) -> None:
        """Repair everything, and wait until all servers answer."""
        for name in self.machine.keeper.kept:
            self.machine.keeper.thaw(name)
            self.machine.keeper.release(name)
        self.machine.wait_until_well()
        self.machine.lift_fault()

    def _resolved(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """Return the name of the primary, or the first member if there is none."""
        if targets != (PRIMARY,):
            return targets
        try:
            return (self.machine.mongod_at(self.machine.replica_set.primary()),)
        except pymongo.errors.PyMongoError:
            return ("mongod-0",)

    def _begin(self, trouble: Trouble, targets: tuple[str, ...]) -> None:
        match trouble.harm:
            case Harm.KILL:
                for target in targets:
                    self.machine.keeper.kill(target)
            case Harm.FREEZE:
                for target in targets:
                    self.machine.keeper.freeze(target)
            case Harm.STEP_DOWN:
                self.machine.replica_set.step_down(_STEP_DOWN_SECONDS)
            case Harm.WIPE:
                for target in targets:
                    self.machine.wipe_redis(target)
            case Harm.MISBEHAVE:
                self.machine.order_fault(trouble.fault, trouble.value)
            case Harm.HEAL_SICK:
                self.machine.lift_fault(SICKNESS)

    def _mend(self, trouble: Trouble, targets: tuple[str, ...]) -> None:
        match trouble.harm:
            case Harm.KILL:
                for target in targets:
                    self.machine.keeper.release(target)
            case Harm.FREEZE:
                for target in targets:
                    self.machine.keeper.thaw(target)
            case Harm.MISBEHAVE:
                self.machine.lift_fault(trouble.fault)
            case Harm.HEAL_SICK:
                for symbol in SICK:
                    self.machine.order_fault(SICKNESS, symbol=symbol)
            case Harm.STEP_DOWN | Harm.WIPE:
                pass
