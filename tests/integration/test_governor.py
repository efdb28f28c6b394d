"""The governor's pace and concurrency, on a real Redis and by its clock."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from pocketquant.coordination.governor import (
    Admission,
    BreakerState,
    Ceiling,
    Governor,
    Outcome,
    PaceSnapshot,
    Reason,
    Start,
    Temper,
)
from pocketquant.machine.embedded import reserve_port
from pocketquant.servers.connections import wait_until

AMPLE = Ceiling(rate=1000.0, burst=1000, concurrency=1000)
SLOW = Ceiling(rate=0.01, burst=16, concurrency=1000)  # no turn comes while a test runs
NARROW = Ceiling(rate=1000.0, burst=1000, concurrency=8)
UNBREAKABLE = Temper(failures_to_open=1_000_000)


def _admitted(governor: Governor, is_urgent: bool) -> int:
    """Enter calls one after the other; return how many are admitted to begin at once."""
    kind = "urgent" if is_urgent else "bulk"
    asked = (governor.enter(f"{kind}-{number}", is_urgent, 0.0) for number in range(100))
    return sum(admission.is_admitted for admission in asked)


def test_an_unused_governor_stands_at_its_ceiling(cache: redis.Redis) -> None:
    """Without any call, rate and concurrency are those of the ceiling."""
    expected = PaceSnapshot(
        rate=1000.0,
        ceiling_rate=1000.0,
        concurrency=8,
        ceiling_concurrency=8,
        in_progress=0,
        breaker=BreakerState.CLOSED,
        consecutive_failures=0,
    )
    assert expected == Governor(cache, NARROW, 60.0).pace()


def test_a_burst_is_followed_by_the_pace(cache: redis.Redis) -> None:
    """Sixteen calls begin at once, two of them only if urgent; the next turn is far off."""
    governor = Governor(cache, SLOW, 60.0)
    assert 14 == _admitted(governor, is_urgent=False)
    assert 2 == _admitted(governor, is_urgent=True)
    refusal = governor.enter("late", True, 5.0)
    assert (False, Reason.PACE) == (refusal.is_admitted, refusal.reason)
    assert 60 < refusal.wait_seconds <= 100


def test_a_long_pause_earns_no_more_than_a_burst(cache: redis.Redis) -> None:
    """Unused turns are lost, even thousands of them."""
    fast = Governor(cache, Ceiling(rate=10_000_000.0, burst=16, concurrency=1000), 60.0)
    fast.enter("one", False, 0.0)
    fast.leave("one", Outcome.OK)
    assert 16 == _admitted(Governor(cache, SLOW, 60.0), is_urgent=True)


def test_a_refused_call_reserves_nothing_and_an_admitted_one_its_turn(cache: redis.Redis) -> None:
    """Turns are one gap apart; a refused call in between moves none of them."""
    governor = Governor(cache, SLOW, 60.0)
    _admitted(governor, is_urgent=True)
    for number in range(50):
        governor.enter(f"impatient-{number}", True, 1.0)
    waits = [governor.enter(f"patient-{number}", True, 1000.0).wait_seconds for number in range(3)]
    assert 60 < waits[0] <= 100
    assert all(60 < later - earlier <= 100 for earlier, later in pairwise(waits))
    assert 19 == governor.pace().in_progress


def test_entering_again_under_the_same_name_gives_the_same_turn(cache: redis.Redis) -> None:
    """A repeated enter takes one slot and one turn."""
    governor = Governor(cache, Ceiling(rate=0.01, burst=1, concurrency=4), 60.0)
    assert [Admission(True, 0.0)] * 3 == [governor.enter("first", False, 0.0) for _ in range(3)]
    waits = [governor.enter("second", False, 1000.0).wait_seconds for _ in range(3)]
    assert sorted(waits, reverse=True) == waits
    assert all(60 < wait <= 100 for wait in waits)
    assert 2 == governor.pace().in_progress


def test_slots_are_limited_and_some_are_reserved_for_urgent_calls(cache: redis.Redis) -> None:
    """Seven of eight slots admit any call; a call that leaves frees one."""
    governor = Governor(cache, NARROW, 60.0)
    assert 7 == _admitted(governor, is_urgent=False)
    assert Reason.CONCURRENCY is governor.enter("late", False, 5.0).reason
    assert 1 == _admitted(governor, is_urgent=True)
    refusal = governor.enter("late", True, 5.0)
    assert (False, Reason.CONCURRENCY) == (refusal.is_admitted, refusal.reason)
    assert 0 < refusal.wait_seconds < 60
    governor.leave("bulk-3", Outcome.OK)
    assert governor.enter("late", True, 0.0).is_admitted
    assert 8 == governor.pace().in_progress


def test_a_single_slot_admits_any_call(cache: redis.Redis) -> None:
    """A single slot is not reserved for urgent calls, since others would never begin."""
    governor = Governor(cache, Ceiling(rate=1000.0, burst=1, concurrency=1), 60.0)
    assert 1 == _admitted(governor, is_urgent=False)
    assert 0 == _admitted(governor, is_urgent=True)


def test_a_vanished_holder_frees_its_slot_after_its_hold(cache: redis.Redis) -> None:
    """Its slot is freed after the hold, not before; leaving later changes nothing."""
    governor = Governor(cache, Ceiling(rate=1000.0, burst=10, concurrency=1), hold_seconds=0.4)
    began = time.monotonic()
    governor.enter("crashed", False, 0.0)
    wait_until(
        "the place is free", lambda: governor.enter("next", False, 0.0).is_admitted, (), 60.0
    )
    assert 0.4 <= time.monotonic() - began
    governor = Governor(cache, Ceiling(rate=1000.0, burst=10, concurrency=1), hold_seconds=60.0)
    governor.enter("third", False, 5.0)
    governor.leave("crashed", Outcome.OK)
    assert 1 == governor.pace().in_progress


def test_a_storm_of_refusals_lowers_the_pace_once(cache: redis.Redis) -> None:
    """Sixteen throttled calls at once lower the pace once, in all processes, with one log line."""
    temper = Temper(failures_to_open=1_000_000, lower_period_seconds=1000.0)
    governors = [Governor(cache, NARROW, 60.0, temper) for _ in range(16)]
    with capture_logs() as lines, ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda each: each.leave("any", Outcome.THROTTLED), governors))
    pace = governors[0].pace()
    assert (500.0, 4, 16) == (pace.rate, pace.concurrency, pace.consecutive_failures)
    assert Outcome.THROTTLED is pace.last_reason
    assert pace.last_lowered_at is not None
    assert abs(time.time() - pace.last_lowered_at) < 60
    assert [("pace_lowered", 500.0, 4)] == [
        (line["event"], line["rate"], line["concurrency"]) for line in lines
    ]


def test_a_lowered_pace_limits_turns_and_slots(cache: redis.Redis) -> None:
    """The gap between turns doubles, and half of the slots are left."""
    governor = Governor(cache, SLOW, 60.0, UNBREAKABLE)
    governor.leave("any", Outcome.THROTTLED)
    assert 8 == _admitted(governor, is_urgent=True)
    cache.flushall()
    governor = Governor(cache, NARROW, 60.0, UNBREAKABLE)
    governor.leave("any", Outcome.THROTTLED)
    assert 4 == _admitted(governor, is_urgent=True)


def test_the_pace_never_falls_to_nothing(cache: redis.Redis) -> None:
    """A fiftieth of the rate and one slot are always left."""
    temper = Temper(failures_to_open=1_000_000, lower_period_seconds=0.0)
    governor = Governor(cache, NARROW, 60.0, temper)
    for _ in range(30):
        governor.leave("any", Outcome.THROTTLED)
    pace = governor.pace()
    assert (20.0, 1) == (pace.rate, pace.concurrency)
    assert governor.enter("one", False, 1.0).is_admitted


def test_good_ends_raise_the_pace_back_to_its_ceiling(cache: redis.Redis) -> None:
    """The pace rises evenly, no faster than the climb allows, and never above the ceiling."""
    governor = Governor(cache, NARROW, 60.0, Temper(climb_seconds=0.5))
    governor.leave("any", Outcome.THROTTLED)
    began = time.monotonic()
    rates = [governor.pace().rate]

    def is_back() -> bool:
        governor.leave("any", Outcome.OK)
        rates.append(governor.pace().rate)
        return rates[-1] == 1000.0

    wait_until("the pace is back", is_back, (), 60.0)
    assert 0.25 <= time.monotonic() - began
    assert sorted(rates) == rates
    assert 25 < len(rates)
    governor.leave("any", Outcome.OK)
    assert (1000.0, 8) == (governor.pace().rate, governor.pace().concurrency)


def test_lost_connections_and_abandoned_calls_do_not_lower_the_pace(cache: redis.Redis) -> None:
    """Neither lowers the pace; only a lost connection counts as a failure."""
    governor = Governor(cache, NARROW, 60.0)
    governor.leave("any", Outcome.DOWN)
    governor.leave("any", Outcome.NEUTRAL)
    pace = governor.pace()
    assert (1000.0, 8, 1) == (pace.rate, pace.concurrency, pace.consecutive_failures)
    assert Outcome.DOWN is pace.last_reason


def test_a_changed_ceiling_counts_at_once(cache: redis.Redis) -> None:
    """It does so when the old one is used up, and in proportion when the pace is lowered."""
    _admitted(Governor(cache, SLOW, 60.0), is_urgent=True)
    raised = Governor(cache, Ceiling(rate=1000.0, burst=16, concurrency=1000), 60.0, UNBREAKABLE)
    assert raised.enter("more", False, 1.0).is_admitted
    raised.leave("any", Outcome.THROTTLED)
    narrowed = Governor(cache, Ceiling(rate=100.0, burst=16, concurrency=10), 60.0)
    assert (50.0, 5) == (narrowed.pace().rate, narrowed.pace().concurrency)
    assert Reason.CONCURRENCY is narrowed.enter("yet more", True, 1.0).reason


def test_the_allowance_is_the_number_of_calls_that_can_begin(cache: redis.Redis) -> None:
    """For now it is what is then admitted; for later, what the rate adds while slots get free."""
    governor = Governor(cache, SLOW, 60.0)
    assert [14, 24] == [governor.allowance(0.0), governor.allowance(1000.0)]
    assert 14 == _admitted(governor, is_urgent=False)
    assert 0 == governor.allowance(0.0)
    assert 9 <= governor.allowance(1000.0) <= 10
    cache.flushall()
    governor = Governor(cache, NARROW, 60.0)
    assert [7, 28] == [governor.allowance(0.0), governor.allowance(3.0)]
    assert 7 == _admitted(governor, is_urgent=False)
    assert [0, 21] == [governor.allowance(0.0), governor.allowance(3.0)]


def test_the_allowance_follows_pace_and_durations(cache: redis.Redis) -> None:
    """Fewer calls may begin at a lowered pace, more if calls are shorter than estimated."""
    governor = Governor(cache, SLOW, 60.0, UNBREAKABLE)
    governor.leave("any", Outcome.THROTTLED)
    assert 7 == governor.allowance(0.0)
    assert 7 == _admitted(governor, is_urgent=False)
    cache.flushall()
    governor = Governor(cache, NARROW, 60.0)
    for number in range(30):
        governor.enter(f"quick-{number}", False, 1.0)
        governor.leave(f"quick-{number}", Outcome.OK)
    assert 2 * 28 < governor.allowance(3.0)


def test_an_emptied_redis_starts_from_the_ceiling(cache: redis.Redis) -> None:
    """Without script and state the governor works on; calls in progress can leave."""
    governor = Governor(cache, NARROW, 60.0, Temper(failures_to_open=2, open_seconds=1000.0))
    governor.enter("in progress", False, 0.0)
    for _ in range(2):
        governor.leave("any", Outcome.THROTTLED)
    assert (500.0, BreakerState.OPEN) == (governor.pace().rate, governor.pace().breaker)
    cache.flushall()
    cache.script_flush()
    assert governor.enter("next", False, 0.0).is_admitted
    governor.leave("in progress", Outcome.OK)
    pace = governor.pace()
    assert (1000.0, 8, 1) == (pace.rate, pace.concurrency, pace.in_progress)
    assert BreakerState.CLOSED is pace.breaker


def test_it_starts_low_and_climbs_to_its_ceiling(cache: redis.Redis) -> None:
    """Rate and concurrency rise from their starts, never above the operator's ceiling."""
    start = Start(rate=50.0, concurrency=2)
    governor = Governor(cache, NARROW, 60.0, Temper(climb_seconds=0.5), start)
    assert (50.0, 2) == (governor.pace().rate, governor.pace().concurrency)
    assert 1 == _admitted(governor, is_urgent=False)
    assert Reason.CONCURRENCY is governor.enter("late", False, 5.0).reason

    def is_there() -> bool:
        governor.leave("any", Outcome.OK)
        return governor.pace().rate == 1000.0

    wait_until("the pace is at its ceiling", is_there, (), 60.0)
    assert 8 == governor.pace().concurrency
    low = Governor(cache, Ceiling(rate=20.0, burst=10, concurrency=1), 60.0, start=start)
    assert (20.0, 1) == (low.pace().rate, low.pace().concurrency)


def test_a_refusal_lowers_a_pace_that_has_just_started(cache: redis.Redis) -> None:
    """The pace is halved from its present value, not from the ceiling."""
    temper = Temper(failures_to_open=1_000_000, lower_period_seconds=0.0)
    governor = Governor(cache, NARROW, 60.0, temper, Start(rate=100.0, concurrency=4))
    governor.leave("any", Outcome.THROTTLED)
    assert (50.0, 2) == (governor.pace().rate, governor.pace().concurrency)


def test_the_reached_pace_is_remembered(redis_url: str, cache: redis.Redis) -> None:
    """A later process continues with the pace reached, for a month."""
    start = Start(rate=100.0, concurrency=1)
    temper = Temper(failures_to_open=2, open_seconds=1000.0, climb_seconds=0.001)
    governor = Governor(cache, NARROW, 60.0, temper, start)
    for outcome in (Outcome.OK, Outcome.OK, Outcome.OK, Outcome.DOWN, Outcome.DOWN):
        governor.leave("any", outcome)
    reached = governor.pace()
    assert 100.0 < reached.rate < 1000.0
    with redis.Redis.from_url(redis_url) as restarted:
        assert reached == Governor(restarted, NARROW, 60.0, temper, start).pace()
    assert 7 * 24 * 3600 < cache.ttl("governor:state")


def test_all_its_keys_expire(cache: redis.Redis) -> None:
    """The key of holders expires after an hour, that of the pace after a month."""
    governor = Governor(cache, NARROW, 60.0)
    governor.enter("one", False, 0.0)
    keys = sorted(cache.keys())
    assert [b"governor:holders", b"governor:state"] == keys
    assert 0 < cache.ttl("governor:holders") <= 3600
    assert 0 < cache.ttl("governor:state") <= 30 * 24 * 3600


def test_the_drivers_errors_pass_through() -> None:
    """The errors of the Redis driver are raised unchanged."""
    at_once = Retry(NoBackoff(), 0)
    with (
        redis.Redis(port=reserve_port(), retry=at_once) as away,
        pytest.raises(redis.ConnectionError),
    ):
        Governor(away, NARROW, 60.0).enter("one", False, 0.0)
