"""Suspends processes for a while, as an overloaded machine does."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def suspended(stopped: Iterable[psutil.Process]) -> Iterator[None]:
    """Suspend these processes for a `with` block."""
    held = list(stopped)
    assert held
    try:
        for process in held:
            process.suspend()
        yield
    finally:
        for process in held:
            process.resume()
