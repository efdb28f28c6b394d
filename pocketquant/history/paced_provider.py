"""`PacedProvider`: calls the provider when the governor admits the call, and can be stopped.

The governor admits a call now, soon (the task waits for its turn), or so late that the unit is put
back. The governor learns the outcome of each call: it slows all workers down when the provider
throttles them, and stops calls while the provider is down.
"""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol, TypeVar

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
from pocketquant.domain.syncs import History, Page, SyncRequest
from pocketquant.domain.turns import TurnFarOff

Result = TypeVar("Result")

_PATIENCE_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.2
_SHORTEST_DELAY_SECONDS = 1.0


class Provider(Protocol):
    """A source of history."""

    def fetch(self, request: SyncRequest) -> History:
        """Return the newest `n_bars` bars of the series, or raise a typed error."""

    def pages(self, request: SyncRequest, oldest: int | None) -> Generator[Page]:
        """Yield the pages of a range, newest first, from the bar at `oldest` on if given.

        Each is fetched when it is asked for, and the last one has a `stop`.
        """

    def hang_up(self) -> None:
        """End all fetches in progress, and all later ones, with an error."""


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One fetch; `is_urgent` if a user waits for it. `holder` names the call to the governor."""

    request: SyncRequest
    holder: str
    is_urgent: bool


class Interrupted(Exception):
    """The process ends: the call was not made, or was given up."""


@dataclass(frozen=True, slots=True)
class PacedProvider:
    """A provider behind the governor; an urgent call waits up to `patience_seconds`.

    Urgent calls go to `urgent`, if given: the same source, whose handshakes come before others.
    """

    provider: Provider
    governor: Governor
    patience_seconds: float = 5.0
    urgent: Provider | None = None
    draining: Event = field(default_factory=Event)
    hung_up: Event = field(default_factory=Event)

    def fetch(self, call: ProviderCall) -> History:
        """Return the bars; raise the provider's error, TurnFarOff or Interrupted."""
        return self._in_turn(call, lambda: self._source(call).fetch(call.request))

    def pages(self, call: ProviderCall, oldest: int | None) -> Generator[Page]:
        """Yield the pages of a range; each waits for a turn of its own, and raises as `fetch`."""
        with closing(self._source(call).pages(call.request, oldest)) as pages:
            while (page := self._in_turn(call, lambda: next(pages, None))) is not None:
                yield page
                if page.stop is not None:
                    return

    def _source(self, call: ProviderCall) -> Provider:
        return self.urgent if self.urgent is not None and call.is_urgent else self.provider

    def _in_turn(self, call: ProviderCall, work: Callable[[], Result]) -> Result:
        """Return the result of a call to the provider, which the governor admits and judges."""
        self._wait_for_turn(call)
        outcome, code = Outcome.NEUTRAL, metrics.NO_CODE
        began = time.monotonic()
        try:
            result = work()
            outcome, code = Outcome.OK, "ok"
            return result
        except PocketQuantError as error:
            if self.hung_up.is_set():
                raise Interrupted from error
            outcome, code = _outcome(error), error.code
            raise
        except TurnFarOff as turn:  # of a handshake
            if turn.error is not None:
                outcome, code = _outcome(turn.error), turn.error.code
            raise
        finally:
            self.governor.leave(call.holder, outcome)
            metrics.FETCH_SECONDS.labels(outcome=code).observe(time.monotonic() - began)

    def drain(self) -> None:
        """Begin no more calls, and interrupt those that wait for their turn."""
        self.draining.set()

    def hang_up(self) -> None:
        """Interrupt the calls in progress as well."""
        self.draining.set()
        self.hung_up.set()
        self.provider.hang_up()

    def _wait_for_turn(self, call: ProviderCall) -> None:
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

    def _hold(self, call: ProviderCall, seconds: float) -> None:
        """Wait `seconds` for the reserved turn; Interrupted if the process ends meanwhile."""
        if self.draining.wait(seconds) if seconds > 0 else self.draining.is_set():
            self.governor.leave(call.holder, Outcome.NEUTRAL)
            raise Interrupted

    def _require_running(self) -> None:
        if self.draining.is_set():
            raise Interrupted


def _outcome(error: PocketQuantError) -> Outcome:
    """Return the outcome of a failed call: neutral if it failed on our side."""
    if isinstance(error, RateLimited | HandshakeRefused):
        return Outcome.THROTTLED
    if isinstance(error, StorageUnavailable):
        return Outcome.NEUTRAL
    if isinstance(error, ProviderFault | ProtocolViolation):  # even if only this series fails
        return Outcome.FAULT
    return Outcome.DOWN if isinstance(error, Unavailable) else Outcome.OK


def _far_off(admission: Admission) -> TurnFarOff:
    delay = max(admission.wait_seconds, _SHORTEST_DELAY_SECONDS)
    if admission.reason is not Reason.BREAKER:
        return TurnFarOff(delay, None)
    message = f"TradingView has failed too often; it is tried again in {delay:.0f} s"
    return TurnFarOff(delay, ProviderDown(message))
