"""Waiting for a time, where there is no condition to wait for."""

import time
from collections.abc import Iterator
from itertools import chain, repeat


def pause(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251  # the one place that sleeps


def growing_pauses(*first: float, longest: float) -> Iterator[float]:
    """The seconds to pause before each further attempt, without end."""
    return chain(first, repeat(longest))
