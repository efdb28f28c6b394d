"""One of several ticks that come close together runs; on a real Redis."""

from concurrent.futures import ThreadPoolExecutor

import redis

from pocketquant.coordination.tick_turns import TickTurns
from pocketquant.machine.embedded import reserve_port
from pocketquant.servers.connections import wait_until


def test_one_of_many_ticks_has_the_turn(cache: redis.Redis) -> None:
    """Whichever worker gets them; the next one has it when the time is over."""
    workers = [TickTurns(cache) for _ in range(8)]
    with ThreadPoolExecutor(len(workers)) as pool:
        taken = list(pool.map(lambda worker: worker.take(3600), workers))
    assert [False] * 7 + [True] == sorted(taken)
    cache.pexpire("tick:turn", 1)
    wait_until("it is over", lambda: workers[0].take(3600), (), 60)
    assert not workers[1].take(3600)


def test_a_turn_ends_by_itself(cache: redis.Redis) -> None:
    """Also that of a worker which died with it."""
    turns = TickTurns(cache)
    assert turns.take(0.05)
    wait_until("it is over", lambda: turns.take(0.05), (), 60)


def test_without_redis_every_tick_is_done() -> None:
    """The ledger judges what is due, so a tick too many does no harm."""
    with redis.Redis(port=reserve_port()) as away:
        assert TickTurns(away).take(3600)
        assert TickTurns(away).take(3600)
