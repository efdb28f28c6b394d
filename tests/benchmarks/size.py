"""How large a benchmark is: as large as its figures need, or as small as runs all of its code.

Read once, as benchmarks are loaded; `--smallest` says so to them, and to the processes they start.
"""

import os
from typing import TypeVar

T = TypeVar("T")

_VARIABLE = "BENCHMARKS_SMALLEST"


def choose_smallest() -> None:
    """Benchmarks that are loaded from now on are of the smallest size."""
    os.environ[_VARIABLE] = "1"


def is_smallest() -> bool:
    return _VARIABLE in os.environ


def sized(full: T, smallest: T) -> T:
    """Return the full size, or the smallest one if it was chosen."""
    return smallest if is_smallest() else full
