"""The governor's circuit breaker, on a real Redis and by its clock."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import redis
from structlog.testing import capture_logs

from pocketquant.coordination.governor import (
    BreakerState,
    Ceiling,
    Governor,
    Outcome,
    Reason,
    Temper,
)
from pocketquant.servers.connections import wait_until

CEILING = Ceiling(rate=1000.0, burst=1000, concurrency=100)
STAYS_OPEN = Temper(failures_to_open=3, open_seconds=1000.0, longest_open_seconds=8000.0)
SOON_HALF_OPEN = Temper(failures_to_open=3, open_seconds=0.2, longest_open_seconds=0.5)


def _break(governor: Governor) -> None:
    for _ in range(3):
        governor.leave("any", Outcome.DOWN)


def _await_half_open(governor: Governor) -> None:
    wait_until(
        "a probe is due", lambda: governor.pace().breaker is BreakerState.HALF_OPEN, (), 60.0
    )


def test_failures_in_a_row_open_the_breaker(cache: redis.Redis) -> None:
    """Then all calls are refused, also urgent ones, until the next probe is due."""
    governor = Governor(cache, CEILING, 60.0, STAYS_OPEN)
    before = time.time()
    governor.leave("a", Outcome.DOWN)
    governor.leave("b", Outcome.THROTTLED)
    assert BreakerState.CLOSED is governor.pace().breaker
    governor.leave("c", Outcome.DOWN)
    for is_urgent in (False, True):
        refusal = governor.enter("any", is_urgent, 5000.0)
        assert (False, Reason.BREAKER) == (refusal.is_admitted, refusal.reason)
        assert 900 < refusal.wait_seconds <= 1000
    pace = governor.pace()
    assert (BreakerState.OPEN, 3, 0) == (
        pace.breaker,
        pace.consecutive_failures,
        pace.in_progress,
    )
    assert pace.opened_at is not None
    assert before - 1 <= pace.opened_at <= time.time() + 1
    assert pace.next_probe_at == pytest.approx(pace.opened_at + 1000.0, abs=0.01)


def test_one_success_among_the_failures_keeps_it_closed(cache: redis.Redis) -> None:
    """Only consecutive failures count; a call that we gave up neither counts nor ends them."""
    governor = Governor(cache, CEILING, 60.0, STAYS_OPEN)
    bad, good, neutral = Outcome.DOWN, Outcome.OK, Outcome.NEUTRAL
    for outcome in (bad, bad, good, bad, neutral, bad):
        governor.leave("any", outcome)
    assert BreakerState.CLOSED is governor.pace().breaker
    governor.leave("any", bad)
    assert BreakerState.OPEN is governor.pace().breaker


def test_a_provider_that_answers_with_errors_is_up(cache: redis.Redis) -> None:
    """Error answers end a series of failures and close the breaker, but do not raise the pace."""
    governor = Governor(cache, CEILING, 60.0, STAYS_OPEN)
    bad, fault = Outcome.DOWN, Outcome.FAULT
    for outcome in (fault, fault, fault, bad, bad, fault, bad, bad):
        governor.leave("any", outcome)
    assert (BreakerState.CLOSED, 2) == (
        governor.pace().breaker,
        governor.pace().consecutive_failures,
    )
    governor.leave("any", Outcome.THROTTLED)
    lowered = governor.pace()
    assert BreakerState.OPEN is lowered.breaker
    governor.leave("any", fault)
    assert (BreakerState.CLOSED, lowered.rate) == (governor.pace().breaker, governor.pace().rate)


def test_calls_begun_before_it_opened_can_close_it_but_not_prolong_it(cache: redis.Redis) -> None:
    """Their failures change nothing; a success shows that the provider is up."""
    governor = Governor(cache, CEILING, 60.0, STAYS_OPEN)
    for holder in ("slow", "slower"):
        governor.enter(holder, False, 0.0)
    _break(governor)
    due = governor.pace().next_probe_at
    governor.leave("slow", Outcome.DOWN)
    assert due == governor.pace().next_probe_at
    governor.leave("slower", Outcome.OK)
    pace = governor.pace()
    assert (BreakerState.CLOSED, 0, None, None) == (
        pace.breaker,
        pace.consecutive_failures,
        pace.opened_at,
        pace.next_probe_at,
    )
    assert governor.enter("next", False, 0.0).is_admitted


def test_one_of_twenty_racing_threads_becomes_the_probe(cache: redis.Redis) -> None:
    """The others wait for its outcome; entering again, it is still the probe."""
    governor = Governor(cache, CEILING, 60.0, SOON_HALF_OPEN)
    _break(governor)
    _await_half_open(governor)
    start = Barrier(20)

    def race(number: int) -> bool:
        start.wait()
        return governor.enter(f"racer-{number}", number % 2 == 0, 0.0).is_admitted

    with ThreadPoolExecutor(20) as threads:
        won = list(threads.map(race, range(20)))
    assert 1 == sum(won)
    assert governor.enter(f"racer-{won.index(True)}", False, 0.0).is_admitted
    assert Reason.BREAKER is governor.enter("late", True, 0.0).reason
    assert 1 == governor.pace().in_progress


def test_a_probe_that_ends_well_closes_it(cache: redis.Redis) -> None:
    """All calls may begin again, and failures are counted from zero."""
    governor = Governor(cache, CEILING, 60.0, SOON_HALF_OPEN)
    _break(governor)
    _await_half_open(governor)
    assert governor.enter("probe", False, 0.0).is_admitted
    governor.leave("probe", Outcome.OK)
    assert all(governor.enter(f"call-{number}", False, 0.0).is_admitted for number in range(20))
    for number in range(2):
        governor.leave(f"call-{number}", Outcome.DOWN)
    assert BreakerState.CLOSED is governor.pace().breaker


def test_each_probe_that_fails_opens_it_for_twice_as_long(cache: redis.Redis) -> None:
    """It does so up to the longest time; each change of state has one log line."""
    governor = Governor(cache, CEILING, 60.0, SOON_HALF_OPEN)
    with capture_logs() as lines:
        _break(governor)
        opened_at = governor.pace().opened_at
        for number, outcome in enumerate((Outcome.DOWN, Outcome.DOWN, Outcome.DOWN, Outcome.OK)):
            _await_half_open(governor)
            assert governor.enter(f"probe-{number}", False, 0.0).is_admitted
            governor.leave(f"probe-{number}", outcome)
            assert governor.pace().opened_at == (None if outcome is Outcome.OK else opened_at)
    opened = [("breaker_opened", seconds) for seconds in (0.2, 0.4, 0.5, 0.5)]
    assert [*opened, ("breaker_closed", None)] == [
        (line["event"], line.get("seconds")) for line in lines
    ]


@pytest.mark.parametrize("is_given_up", [True, False])
def test_a_probe_without_an_outcome_is_replaced(cache: redis.Redis, is_given_up: bool) -> None:
    """At once if we gave it up, after its hold if its process vanished."""
    governor = Governor(cache, CEILING, 0.3, SOON_HALF_OPEN)
    _break(governor)
    _await_half_open(governor)
    began = time.monotonic()
    assert governor.enter("first", False, 0.0).is_admitted
    if is_given_up:
        governor.leave("first", Outcome.NEUTRAL)
        assert governor.enter("second", False, 0.0).is_admitted
    else:
        wait_until(
            "another may probe", lambda: governor.enter("second", False, 0.0).is_admitted, (), 60.0
        )
        assert 0.3 <= time.monotonic() - began
    assert BreakerState.HALF_OPEN is governor.pace().breaker


def test_a_probe_begins_though_the_pace_is_at_its_lowest(cache: redis.Redis) -> None:
    """Turns of a lowered pace may be far off; a probe does not wait for them."""
    ceiling = Ceiling(rate=0.01, burst=1, concurrency=4)
    governor = Governor(cache, ceiling, 60.0, SOON_HALF_OPEN)
    governor.enter("stuck", False, 0.0)
    for _ in range(3):
        governor.leave("any", Outcome.THROTTLED)
    _await_half_open(governor)
    assert governor.enter("probe", False, 0.0).is_admitted


def test_a_probe_keeps_the_ceiling_of_calls_in_progress(cache: redis.Redis) -> None:
    """While all slots are taken by calls without an answer, it waits for one of them."""
    governor = Governor(cache, Ceiling(rate=1000.0, burst=10, concurrency=1), 60.0, SOON_HALF_OPEN)
    governor.enter("stuck", False, 0.0)
    _break(governor)
    _await_half_open(governor)
    assert Reason.CONCURRENCY is governor.enter("probe", True, 0.0).reason
    governor.leave("stuck", Outcome.DOWN)
    assert governor.enter("probe", True, 0.0).is_admitted


def test_the_allowance_of_an_open_breaker_is_its_probe(cache: redis.Redis) -> None:
    """It is zero until the probe is due, then one, and zero while the probe runs."""
    governor = Governor(cache, CEILING, 60.0, STAYS_OPEN)
    _break(governor)
    assert [0, 1] == [governor.allowance(5.0), governor.allowance(5000.0)]
    cache.flushall()
    governor = Governor(cache, CEILING, 60.0, SOON_HALF_OPEN)
    _break(governor)
    _await_half_open(governor)
    assert 1 == governor.allowance(0.0)
    governor.enter("probe", False, 0.0)
    assert 0 == governor.allowance(5.0)
