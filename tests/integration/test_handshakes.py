"""The pace of handshakes, on a real Redis and by its clock."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pocketquant.coordination.handshakes import HandshakeRules, Handshakes
from pocketquant.domain.errors import RateLimited
from pocketquant.servers.connections import wait_until
from pocketquant.simulator.server import Simulator, running
from pocketquant.tradingview.account import Account
from workers.streamer.dialer import Dialer

SLOW = HandshakeRules(rate=0.01, burst=8)  # no turn comes while a test runs


def _taken(handshakes: Handshakes, is_urgent: bool) -> int:
    """Take turns one after the other; return how many may begin at once."""
    return sum(handshakes.take("it", is_urgent) == 0 for _ in range(20))


def test_a_burst_is_followed_by_the_pace(cache: redis.Redis) -> None:
    """Eight handshakes may begin at once, the last one only for an urgent call."""
    handshakes = Handshakes(cache, SLOW)
    assert 7 == _taken(handshakes, is_urgent=False)
    assert 1 == _taken(handshakes, is_urgent=True)
    assert 99 < handshakes.take("it", is_urgent=True) <= 100
    assert 199 < handshakes.take("it", is_urgent=False) <= 200


def test_one_at_a_time(cache: redis.Redis) -> None:
    """Without a burst, nothing is reserved for urgent calls."""
    handshakes = Handshakes(cache, HandshakeRules(rate=0.01, burst=1))
    assert 1 == _taken(handshakes, is_urgent=False)
    assert 0 == _taken(handshakes, is_urgent=True)


def test_processes_share_the_pace(cache: redis.Redis) -> None:
    """The turns that one process takes are missing to another."""
    taken = _taken(Handshakes(cache, SLOW), is_urgent=False)
    assert (7, 0) == (taken, _taken(Handshakes(cache, SLOW), is_urgent=False))


def test_a_turn_comes_with_time(cache: redis.Redis) -> None:
    """After the announced seconds, the next handshake may begin."""
    handshakes = Handshakes(cache, HandshakeRules(rate=20.0, burst=1))
    assert 0 == handshakes.take("it", is_urgent=False)
    wait_until("it may begin", lambda: handshakes.take("it", is_urgent=False) == 0, (), 10)


def test_a_refusal_pauses_all(cache: redis.Redis) -> None:
    """No handshake begins during the pause; refusals within it prolong nothing."""
    handshakes = Handshakes(cache, SLOW)
    assert 2 == handshakes.refused()
    assert 1 < handshakes.refused() <= 2
    assert 1 < handshakes.take("it", is_urgent=True) <= 2


@pytest.mark.parametrize(
    ("forgotten", "expected"), [(60.0, [0.01, 0.02, 0.04, 0.05, 0.05]), (0.0, [0.01] * 5)]
)
def test_pauses_double(cache: redis.Redis, forgotten: float, expected: list[float]) -> None:
    """Each refusal after a pause doubles the next pause, unless there was none for long."""
    rules = HandshakeRules(1000.0, 8, 0.01, 0.05, forgotten)
    handshakes = Handshakes(cache, rules)
    pauses = []
    for _ in expected:
        pauses.append(handshakes.refused())
        wait_until("it is over", lambda: handshakes.take("it", is_urgent=False) == 0, (), 10)
    assert expected == pauses


def test_handshakes_go_one_by_one_after_a_pause(cache: redis.Redis) -> None:
    """After a pause there is no burst."""
    rules = HandshakeRules(0.01, 8, first_pause_seconds=0.05)
    handshakes = Handshakes(cache, rules)
    handshakes.refused()
    wait_until("it is over", lambda: handshakes.take("it", is_urgent=False) == 0, (), 10)
    assert 0 == _taken(handshakes, is_urgent=False)


def test_a_limit_of_connections(cache: redis.Redis) -> None:
    """With as many connections as the account may have, the next one waits until one is closed."""
    handshakes = Handshakes(cache, HandshakeRules(rate=1000.0, burst=1000))
    assert [0, 0] == [handshakes.take(name, True, 2) for name in ("first", "second")]
    assert 1 == handshakes.take("third", True, 2)
    assert 0 == handshakes.take("of an account without a limit", True)
    handshakes.closed("first", "of an account without a limit")
    assert [0, 1] == [handshakes.take(name, True, 2) for name in ("third", "fourth")]


def test_without_redis() -> None:
    """The end of a connection is no error, a turn is one; but not if it can be done without."""
    gone = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    away = Handshakes(gone, SLOW)
    away.closed("one")
    for call in (away.refused, lambda: away.take("another", is_urgent=True)):
        with pytest.raises(redis.ConnectionError):
            call()
    unlimited = Handshakes(gone, SLOW, needs_redis=False)
    assert (0, 2) == (unlimited.take("one", is_urgent=True), unlimited.refused())


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running() as simulator:
        yield simulator


@pytest.fixture
def dialer_with(simulator: Simulator, cache: redis.Redis) -> Iterator[Callable[..., Dialer]]:
    """Makes the dialers of streamers, which end with the test."""
    with ExitStack() as ends:

        def make(pace: Handshakes) -> Dialer:
            account = Account(simulator.http_url, "", "", "", cache)
            dialer = Dialer(simulator.url, account, 30.0, pace)
            ends.callback(dialer.end)
            return dialer

        yield make


def dialed(dialer: Dialer) -> None:
    """Dial, and hang up again."""
    dialer.begin()
    connection = dialer.result(60)
    assert connection is not None
    connection.socket.hang_up()


def test_a_streamer_waits_for_its_turn_at_the_head(
    cache: redis.Redis, dialer_with: Callable[..., Dialer]
) -> None:
    """It gets the turn that is reserved for urgent calls; without another it waits."""
    pace = Handshakes(cache, SLOW)
    dialer = dialer_with(pace)
    assert 7 == _taken(pace, is_urgent=False)
    dialed(dialer)
    dialer.begin()
    assert dialer.result(0.2) is None


def test_a_streamer_that_is_refused_pauses_all(
    simulator: Simulator, cache: redis.Redis, dialer_with: Callable[..., Dialer]
) -> None:
    """A 429 counts for the handshakes of workers too."""
    simulator.order("rate_limit")
    dialer = dialer_with(Handshakes(cache, SLOW))
    dialer.begin()
    with pytest.raises(RateLimited):
        dialer.result(60)
    assert 1 < Handshakes(cache, SLOW).take("of a worker", is_urgent=True) <= 2


def test_a_streamer_connects_while_redis_is_away(dialer_with: Callable[..., Dialer]) -> None:
    """The pace limits handshakes; its absence must not stop a streamer."""
    gone = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    dialed(dialer_with(Handshakes(gone, SLOW, needs_redis=False)))
