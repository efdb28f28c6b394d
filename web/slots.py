"""Slots for long responses (streams, exports): a limit for all callers, half of it for each."""

from collections import Counter
from threading import Lock

from pocketquant.domain.errors import TooManyExports, TooManyStreams


class Slots:
    """`take` a slot, then `give_back` it; a caller of None has the common limit alone."""

    def __init__(
        self,
        most: int,
        error: type[TooManyStreams] | type[TooManyExports],
        when_all_are_taken: str,
        when_yours_are_taken: str,
    ) -> None:
        self._most = most
        self._most_each = max(1, most // 2)
        self._error = error
        self._when_all_are_taken = when_all_are_taken
        self._when_yours_are_taken = when_yours_are_taken.format(most=self._most_each)
        self._taken = Counter[str | None]()
        self._lock = Lock()

    @property
    def taken(self) -> int:
        """The number of slots that are taken."""
        with self._lock:
            return self._taken.total()

    def take(self, caller: str | None) -> None:
        """Take a slot; raise TooManyStreams or TooManyExports if the caller cannot have one."""
        with self._lock:
            if self._taken.total() >= self._most:
                raise self._error(self._when_all_are_taken)
            if caller is not None and self._taken[caller] >= self._most_each:
                raise self._error(self._when_yours_are_taken)
            self._taken[caller] += 1

    def give_back(self, caller: str | None) -> None:
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


def stream_slots(most: int) -> Slots:
    return Slots(
        most,
        TooManyStreams,
        "too many streams are open here; ask the push process (PUSH_PORT)",
        "you have {most} streams open here, the most for one caller; close some, or watch more"
        " symbols in one",
    )


def export_slots(most: int) -> Slots:
    return Slots(
        most,
        TooManyExports,
        "too many exports are in progress here; try again later",
        "you have {most} exports in progress here, the most for one caller; try again when one has"
        " ended",
    )
