"""Places for what lasts, such as streams: so many at a time, and not all for one caller."""

from collections import Counter
from threading import Lock

from pocketquant.domain.errors import TooManyStreams


class Places:
    """`take` one, then `give_back`; a caller without a name counts only towards the whole."""

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._taken = Counter[str | None]()
        self._lock = Lock()

    def take(self, caller: str | None) -> None:
        """TooManyStreams where there is none, or none for this caller."""
        with self._lock:
            if self._taken.total() >= self._most:
                raise TooManyStreams(
                    "too many streams are open here; ask the push process (PUSH_PORT)"
                )
            if caller is not None and self._taken[caller] >= self._most_each:
                raise TooManyStreams(
                    f"you have {self._most_each} streams open here, the most for one caller;"
                    " close some, or watch more symbols in one"
                )
            self._taken[caller] += 1

    def give_back(self, caller: str | None) -> None:
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]
