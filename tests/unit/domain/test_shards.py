"""Shards: every symbol in exactly one part, for good."""

import pytest

from pocketquant.domain.shards import Shard, all_shards


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_symbol_is_in_exactly_one_part(count: int) -> None:
    """This holds for any number of parts."""
    symbols = [f"SIM:S{number:04}" for number in range(200)]
    held = [sum(shard.holds(symbol) for shard in all_shards(count)) for symbol in symbols]
    assert [1] * len(symbols) == held


def test_parts_are_about_equal() -> None:
    """Four parts of a thousand symbols have similar sizes."""
    sizes = [
        sum(shard.holds(f"SIM:S{number:04}") for number in range(1000)) for shard in all_shards(4)
    ]
    assert all(200 < size < 300 for size in sizes)


def test_a_symbol_stays_in_its_part() -> None:
    """The part does not depend on the process."""
    assert [False, True, False] == [shard.holds("NASDAQ:AAPL") for shard in all_shards(3)]


def test_parts_of_different_splits_have_different_names() -> None:
    """A name contains number and count."""
    assert ("1-of-2", "1-of-3") == (Shard(1, 2).name, Shard(1, 3).name)
