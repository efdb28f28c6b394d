"""Places for what lasts, such as streams and exports: so many at a time, and not all for one
caller.
"""

from collections import Counter
from threading import Lock

from pocketquant.domain.errors import TooManyExports, TooManyStreams


class Places:
    """`take` one, then `give_back`; a caller without a name counts only towards the whole."""

    def __init__(
        self,
        most: int,
        refuse: type[TooManyStreams] | type[TooManyExports],
        when_all_are_taken: str,
        when_yours_are_taken: str,
    ) -> None:
        self._most = most
        self._most_each = max(1, most // 2)
        self._refuse = refuse
        self._when_all_are_taken = when_all_are_taken
        self._when_yours_are_taken = when_yours_are_taken.format(most=self._most_each)
        self._taken = Counter[str | None]()
        self._lock = Lock()

    @property
    def taken(self) -> int:
        """How many are taken now."""
        with self._lock:
            return self._taken.total()

    def take(self, caller: str | None) -> None:
        """TooManyStreams or its like where there is none, or none for this caller."""
        with self._lock:
            if self._taken.total() >= self._most:
                raise self._refuse(self._when_all_are_taken)
            if caller is not None and self._taken[caller] >= self._most_each:
                raise self._refuse(self._when_yours_are_taken)
            self._taken[caller] += 1

    def give_back(self, caller: str | None) -> None:
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


def places_for_streams(most: int) -> Places:
    return Places(
        most,
        TooManyStreams,
        "too many streams are open here; ask the push process (PUSH_PORT)",
        "you have {most} streams open here, the most for one caller; close some, or watch more"
        " symbols in one",
    )


def places_for_exports(most: int) -> Places:
    return Places(
        most,
        TooManyExports,
        "as many exports are under way here as may be; try again later",
        "you have {most} exports under way here, the most for one caller; try again when one has"
        " ended",
    )
