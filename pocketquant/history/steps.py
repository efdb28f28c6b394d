"""`Steps`: runs the steps of a tick, so that a step that fails stops no other."""

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
    """Runs steps, and reports failures in the log, a metric, and `problems`."""

    def __init__(self, problems: TickProblems) -> None:
        self._problems = problems

    def run(self, steps: Mapping[str, Callable[[], T]]) -> dict[str, T]:
        """Run all steps in order; return the results of those that succeeded.

        If a step raised StorageUnavailable, raise it after all steps have run.
        """
        results: dict[str, T] = {}
        failed: dict[str, Exception] = {}
        for name, step in steps.items():
            try:
                with translating_driver_errors():
                    results[name] = step()
            except Exception as error:  # noqa: BLE001  # the next step runs after any error
                failed[name] = error
                metrics.TICK_STEPS_FAILED.inc()
                _log_failure("tick_step_failed", error, step=name)
        self._note({name: _public_text(error) for name, error in failed.items()}, results)
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
    """Act on every item, also after failures; then raise the first failure, if any."""
    results: list[T] = []
    failures: list[Exception] = []
    for item in items:
        try:
            with translating_driver_errors():
                results.append(act(item))
        except Exception as error:  # noqa: BLE001  # the next item is tried after any error
            failures.append(error)
            _log_failure("tick_item_failed", error, item=str(item))
    if failures:
        raise failures[0]
    return results


def _log_failure(event: str, error: Exception, **fields: str) -> None:
    is_defect = not isinstance(error, PocketQuantError)
    _log.error(event, **fields, cause=str(error), exc_info=error if is_defect else None)


def _public_text(error: Exception) -> str:
    """Return a text for users of the API: without our servers' addresses or internals."""
    if isinstance(error, StorageUnavailable):
        return str(error).partition(":")[0]
    if isinstance(error, PocketQuantError):
        return str(error)
    return f"{type(error).__name__}; the log of the worker says more"
