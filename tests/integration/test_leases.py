"""Leases on a real Redis, by its clock."""

from concurrent.futures import ThreadPoolExecutor

import redis

from pocketquant.coordination.leases import Lease, Leases
from pocketquant.servers.connections import wait_until

SHARD = "streamer:0"


def granted(leases: Leases) -> Lease:
    lease = leases.acquire(SHARD)
    assert lease is not None
    return lease


def is_held(cache: redis.Redis, lease: Lease) -> bool:
    return cache.get(lease.key) == str(lease.token).encode()


def test_one_of_many_gets_the_lease(cache: redis.Redis) -> None:
    """In each round one of sixteen threads acquires the lease."""
    leases = Leases(cache, seconds=60.0)
    tokens = []
    with ThreadPoolExecutor(16) as pool:
        for _ in range(20):
            asked = list(pool.map(lambda _: leases.acquire(SHARD), range(16)))
            (won,) = [lease for lease in asked if lease is not None]
            tokens.append(won.token)
            assert leases.release(won)
    assert sorted(set(tokens)) == tokens


def test_leases_of_different_names_do_not_meet(cache: redis.Redis) -> None:
    """Each shard has its own, and all tokens differ."""
    leases = Leases(cache, seconds=60.0)
    asked = [leases.acquire(f"streamer:{shard}") for shard in range(8)]
    assert 8 == len({lease.token for lease in asked if lease is not None})


def test_a_lease_that_is_not_renewed_goes_to_another(cache: redis.Redis) -> None:
    """It expires by the server's clock; the next token is larger."""
    hasty, patient = Leases(cache, seconds=0.2), Leases(cache, seconds=60.0)
    first = granted(hasty)
    taken: list[Lease] = []

    def is_taken() -> bool:
        lease = patient.acquire(SHARD)
        taken.extend([lease] if lease else [])
        return lease is not None

    wait_until("the lease is over", is_taken, (), 60.0)
    assert first.token < taken[0].token


def test_a_renewed_lease_lasts(cache: redis.Redis) -> None:
    """A renewal lasts for the whole time again."""
    lease = granted(Leases(cache, seconds=60.0))
    assert Leases(cache, seconds=600.0).renew(lease)
    assert 60_000 < int(cache.pttl(lease.key))  # type: ignore[arg-type]
    assert is_held(cache, lease)


def test_a_lost_lease_can_be_neither_renewed_nor_released(cache: redis.Redis) -> None:
    """The new holder keeps the lease."""
    leases = Leases(cache, seconds=60.0)
    stale = granted(leases)
    cache.delete(stale.key)
    fresh = granted(leases)
    assert (False, False, False) == (
        leases.renew(stale),
        leases.release(stale),
        is_held(cache, stale),
    )
    assert is_held(cache, fresh)


def test_an_expired_lease_is_not_renewed(cache: redis.Redis) -> None:
    """An expired lease cannot be renewed even if no other holder came meanwhile."""
    leases = Leases(cache, seconds=60.0)
    lease = granted(leases)
    cache.delete(lease.key)
    assert not leases.renew(lease)


def test_tokens_grow_also_when_redis_was_emptied(cache: redis.Redis) -> None:
    """Without a counter, tokens continue from the server's time."""
    leases = Leases(cache, seconds=60.0)
    before = granted(leases)
    cache.flushall()
    after = granted(leases)
    assert before.token < after.token


def test_tokens_grow_also_when_the_clock_goes_back(cache: redis.Redis) -> None:
    """While the clock is behind, tokens continue from the counter."""
    future = 4_000_000_000_000_000
    cache.set("lease:newest", future)
    assert Lease(SHARD, future + 1) == Leases(cache, seconds=60.0).acquire(SHARD)
