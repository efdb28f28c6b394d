"""The governor over several processes: together they keep one rate and one concurrency."""

import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import pytest
import redis

from pocketquant.coordination.governor import Ceiling, Governor, Outcome

PROCESSES = 2
THREADS = 8
SECONDS = 2.0
CALL_SECONDS = 0.01


@dataclass(frozen=True)
class Called:
    """The calls of the threads of one process."""

    began: float
    ended: float
    calls: int
    most_in_progress: int


def _call(url: str, ceiling: Ceiling, process: int) -> Called:
    with redis.Redis.from_url(url) as cache, ThreadPoolExecutor(THREADS) as threads:
        governor = Governor(cache, ceiling, hold_seconds=60.0)
        began = time.time()
        seen = threads.map(
            lambda thread: _call_for_a_while(cache, governor, f"{process}-{thread}"),
            range(THREADS),
        )
        counts = [count for each in seen for count in each]
        return Called(began, time.time(), len(counts), max(counts))


def _call_for_a_while(cache: redis.Redis, governor: Governor, caller: str) -> list[int]:
    """Call for a while; return how many calls were in progress when each of these began."""
    seen: list[int] = []
    deadline = time.time() + SECONDS
    while time.time() < deadline:
        holder = f"{caller}-{len(seen)}"
        admission = governor.enter(holder, is_urgent=False, max_wait_seconds=0.5)
        time.sleep(admission.wait_seconds if admission.is_admitted else 0.02)
        if admission.is_admitted:
            seen.append(int(cache.incr("in_progress")))
            time.sleep(CALL_SECONDS)
            cache.decr("in_progress")
            governor.leave(holder, Outcome.OK)
    return seen


@pytest.mark.parametrize(
    ("ceiling", "places"),
    [
        pytest.param(Ceiling(rate=40.0, burst=8, concurrency=100), 16, id="rate"),
        pytest.param(Ceiling(rate=10_000.0, burst=1000, concurrency=8), 7, id="concurrency"),
    ],
)
def test_processes_share_one_pace(
    redis_url: str, cache: redis.Redis, ceiling: Ceiling, places: int
) -> None:
    """Two processes of eight busy threads each stay within both limits and use them up."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as processes:
        started = [
            processes.submit(_call, redis_url, ceiling, number) for number in range(PROCESSES)
        ]
        called = [each.result(timeout=SECONDS + 60) for each in started]
    seconds = max(each.ended for each in called) - min(each.began for each in called)
    calls = sum(each.calls for each in called)
    assert 16 < calls <= ceiling.burst + ceiling.rate * seconds
    assert 1 < max(each.most_in_progress for each in called) <= places
    assert 0 == Governor(cache, ceiling, 60.0).pace().in_progress
