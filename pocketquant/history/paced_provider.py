"""A provider that is called only when it is our turn, and that can be told to stop.

The governor says when: now, soon (the slot is held until then), or so far off that the unit goes
back. What comes of each call is told to the governor, who slows all workers down when the
provider refuses them and leaves it alone while it is down.
"""

import time
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from pocketquant import metrics
from pocketquant.coordination.governor import Admission, Governor, Outcome, Reason
from pocketquant.domain.errors import (
    HandshakeRefused,
    PocketQuantError,
    ProtocolViolation,
    ProviderDown,
    ProviderFault,
    RateLimited,
    StorageUnavailable,
    Unavailable,
)
from pocketquant.domain.syncs import History, SyncRequest

_PATIENCE_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.2
_SHORTEST_DELAY_SECONDS = 1.0


class Provider(Protocol):
    """Where history comes from."""

    def fetch(self, request: SyncRequest) -> History:
        """The newest `n_bars` bars of the series, or a typed error."""

    def hang_up(self) -> None:
        """End every fetch in progress with an error, and each one that follows."""


@dataclass(frozen=True, slots=True)
class Call:
    """One fetch to be made: by whom, and whether somebody waits for it."""

    request: SyncRequest
    holder: str
    is_urgent: bool


class TurnFarOff(Exception):
    """The call may not be made before `delay_seconds`; `error` is what those who wait are told."""

    def __init__(self, delay_seconds: float, error: PocketQuantError | None) -> None:
        super().__init__(f"not before {delay_seconds:.1f} s")
        self.delay_seconds = delay_seconds
        self.error = error


class Interrupted(Exception):
    """This process ends; the call was not made, or given up."""


@dataclass(frozen=True, slots=True)
class PacedProvider:
    """The provider behind the governor; an urgent call waits `patience_seconds` for its turn."""

    provider: Provider
    governor: Governor
    patience_seconds: float = 5.0
    draining: Event = field(default_factory=Event)
    hung_up: Event = field(default_factory=Event)

    def fetch(self, call: Call) -> History:
        """The bars, or the provider's error, TurnFarOff or Interrupted."""
        self._wait_for_turn(call)
        outcome, code = Outcome.NEUTRAL, metrics.NO_CODE
        began = time.monotonic()
        try:
            history = self.provider.fetch(call.request)
            outcome, code = Outcome.OK, "ok"
            return history
        except PocketQuantError as error:
            if self.hung_up.is_set():
                raise Interrupted from error
            outcome, code = _outcome(error), error.code
            raise
        finally:
            self.governor.leave(call.holder, outcome)
            metrics.FETCH_SECONDS.labels(outcome=code).observe(time.monotonic() - began)

    def drain(self) -> None:
        """Make no more calls: who waits for a turn is interrupted."""
        self.draining.set()

    def hang_up(self) -> None:
        """Interrupt the calls in progress as well."""
        self.draining.set()
        self.hung_up.set()
        self.provider.hang_up()

    def _wait_for_turn(self, call: Call) -> None:
        longest = self.patience_seconds
        patience = longest if call.is_urgent else min(_PATIENCE_SECONDS, longest)
        deadline = time.monotonic() + patience
        with metrics.PACE_WAIT_SECONDS.time():
            while True:
                self._require_running()
                remaining = max(0.0, deadline - time.monotonic())
                admission = self.governor.enter(call.holder, call.is_urgent, remaining)
                if admission.is_admitted:
                    return self._hold(call, admission.wait_seconds)
                if admission.reason is not Reason.CONCURRENCY or not remaining:
                    raise _far_off(admission)
                self.draining.wait(min(remaining, _LOOK_AGAIN_SECONDS))

    def _hold(self, call: Call, seconds: float) -> None:
        """The turn is ours; it begins in `seconds`."""
        if self.draining.wait(seconds) if seconds > 0 else self.draining.is_set():
            self.governor.leave(call.holder, Outcome.NEUTRAL)
            raise Interrupted

    def _require_running(self) -> None:
        if self.draining.is_set():
            raise Interrupted


def _outcome(error: PocketQuantError) -> Outcome:
    """What a failed call says of the provider: nothing where it was we who could not make it."""
    if isinstance(error, RateLimited | HandshakeRefused):
        return Outcome.THROTTLED
    if isinstance(error, StorageUnavailable):
        return Outcome.NEUTRAL
    if isinstance(error, ProviderFault | ProtocolViolation):  # be it about this series alone
        return Outcome.FAULT
    return Outcome.DOWN if isinstance(error, Unavailable) else Outcome.OK


def _far_off(admission: Admission) -> TurnFarOff:
    delay = max(admission.wait_seconds, _SHORTEST_DELAY_SECONDS)
    if admission.reason is not Reason.BREAKER:
        return TurnFarOff(delay, None)
    message = f"TradingView has failed too often; it is tried again in {delay:.0f} s"
    return TurnFarOff(delay, ProviderDown(message))
