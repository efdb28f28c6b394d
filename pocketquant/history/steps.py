"""`Steps`: what a tick has to do, each step apart, so that one that fails stops no other."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import redis
import structlog

from pocketquant import metrics
from pocketquant.coordination.tick_problems import TickProblems
from pocketquant.domain.errors import PocketQuantError, StorageUnavailable
from pocketquant.servers.connections import translating_driver_errors

_log = structlog.get_logger(__name__)

S = TypeVar("S")
T = TypeVar("T")


class Steps:
    """Runs steps, and shows those that fail: in the log, in a metric, in `problems`."""

    def __init__(self, problems: TickProblems) -> None:
        self._problems = problems

    def run(self, steps: Mapping[str, Callable[[], T]]) -> dict[str, T]:
        """Run all steps in order; the results of those that did not fail.

        Raises StorageUnavailable once all were tried, where one of them met it.
        """
        results: dict[str, T] = {}
        failed: dict[str, Exception] = {}
        for name, step in steps.items():
            try:
                with translating_driver_errors():
                    results[name] = step()
            except Exception as error:  # noqa: BLE001  # whatever it is, the next step is tried
                failed[name] = error
                metrics.TICK_STEPS_FAILED.inc()
                _tell("tick_step_failed", error, step=name)
        self._note({name: _shown(error) for name, error in failed.items()}, results)
        for failure in failed.values():
            if isinstance(failure, StorageUnavailable):
                raise failure
        return results

    def _note(self, failed: Mapping[str, str], done: Iterable[str]) -> None:
        try:
            self._problems.note(failed, list(done))
        except redis.RedisError as error:
            _log.warning("tick_problems_not_noted", cause=str(error))


def each_apart(items: Iterable[S], act: Callable[[S], T]) -> list[T]:
    """Act on every item, whichever fail; then raise the first failure, if there was one."""
    results: list[T] = []
    failures: list[Exception] = []
    for item in items:
        try:
            with translating_driver_errors():
                results.append(act(item))
        except Exception as error:  # noqa: BLE001  # whatever it is, the next item is tried
            failures.append(error)
            _tell("tick_item_failed", error, item=str(item))
    if failures:
        raise failures[0]
    return results


def _tell(event: str, error: Exception, **what: str) -> None:
    is_defect = not isinstance(error, PocketQuantError)
    _log.error(event, **what, cause=str(error), exc_info=error if is_defect else None)


def _shown(error: Exception) -> str:
    """What callers of the API may read: not where our servers are, not what broke inside."""
    if isinstance(error, StorageUnavailable):
        return str(error).partition(":")[0]
    if isinstance(error, PocketQuantError):
        return str(error)
    return f"{type(error).__name__}; the log of the worker says more"
