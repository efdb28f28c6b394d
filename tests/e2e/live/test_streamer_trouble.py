"""Killed streamers and servers that go away, on a market with a fast clock."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from pocketquant.domain.intervals import MINUTE, Interval

pytestmark = pytest.mark.fault

SPEED = 60.0
MIDNIGHT = 1_763_424_000.0  # Tuesday, 2025-11-18, by the market's clock
PAIRS = [f"SIM:S{number:04}" for number in range(1, 6)]


@pytest.fixture(scope="module")
def shared_market(live_market: Callable[..., Any]) -> Any:
    """One market for all tests of this module."""
    return live_market(PAIRS, SPEED, MIDNIGHT, streamer_silence_seconds=3, streamer_lease_seconds=3)


@pytest.fixture
def market(shared_market: Any) -> Iterator[Any]:
    """The market without streamers; syncs of earlier tests are done."""
    yield shared_market
    shared_market.kill_all()
    shared_market.simulator.lift()
    for collection in ("jobs", "units"):
        shared_market.platform.mongo[collection].delete_many({})


def test_a_killed_streamer_resumes(market: Any) -> None:
    """Only the time of the gap is missing in the open minute; no bar is missing or doubled."""
    market.start_streaming()
    begun = market.now()
    market.wait_for_minutes(2)
    killed_at = market.now()
    market.kill_all()
    market.start_streaming()
    found_at = market.now()
    market.wait_for_minutes(3)
    market.wait_until_right(begun)
    touched = [time for time in market.partial(PAIRS[0]) if time >= begun]
    assert all(killed_at - 2 * MINUTE <= time <= found_at for time in touched), touched


@pytest.mark.parametrize("server", ["mongod", "redis"])
def test_a_server_that_goes_away(market: Any, server: str) -> None:
    """Closed bars wait for its return, and are stored complete, without any sync."""
    market.simulator.order("symbol_error")
    streamer = market.start_streaming()
    begun = Interval.M1.period_end(int(market.now()))
    market.wait_for_minutes(1)
    market.platform.control("stop", f"servers:{server}-0")
    try:
        market.wait_for_minutes(4)
    finally:
        market.platform.control("start", f"servers:{server}-0")
    market.wait_until_watched(streamer)
    market.wait_for_minutes(1)
    market.wait_until_stored(begun, market.last_minute())


def test_bars_that_wait_survive_a_kill(market: Any) -> None:
    """They closed while MongoDB was away, and their streamer is dead when it returns."""
    market.simulator.order("symbol_error")
    market.start_streaming()
    begun = Interval.M1.period_end(int(market.now()))
    market.wait_for_minutes(1)
    market.platform.control("stop", "servers:mongod-0")
    try:
        market.wait_for_minutes(2)
        last = market.last_minute()
        market.kill_all()
    finally:
        market.platform.control("start", "servers:mongod-0")
    market.start_streamer()
    market.wait_until_stored(begun, last)


def test_a_standby_takes_over(market: Any) -> None:
    """If the first of two is killed, the other one continues, and all bars are right."""
    works = market.start_streaming()
    waits = market.start_streamer()
    begun = market.now()
    market.wait_for_minutes(1)
    assert market.status()["pid"] == works.pid
    killed_at = time.monotonic()
    works.kill()
    market.wait_until_watched(waits)
    assert time.monotonic() - killed_at < 30  # 10 are promised, of a machine that is not busy
    market.wait_for_minutes(2)
    market.wait_until_right(begun)


def test_a_frozen_streamer_writes_nothing_more(market: Any) -> None:
    """It wakes up when another one has its shard, and stands by."""
    frozen = market.start_streaming()
    begun = market.now()
    psutil.Process(frozen.pid).suspend()
    other = market.start_streaming()
    psutil.Process(frozen.pid).resume()
    market.wait_for_minutes(2)
    assert market.status()["pid"] == other.pid
    market.wait_until_right(begun)


def test_sigterm_ends_a_streamer_and_releases_its_shard(market: Any) -> None:
    """The exit code is 0 within 5 s, and the next streamer has the shard at once."""
    first = market.start_streaming()
    began = time.monotonic()
    first.terminate()
    assert first.wait(15) == 0
    assert time.monotonic() - began < 15  # 5 are promised
    market.start_streaming()
