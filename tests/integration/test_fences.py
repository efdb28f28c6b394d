"""Fences: the streamer with the later token may write, the earlier one no more."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pocketquant.servers.connections import Mongo
from pocketquant.storage.fences import Fences


@pytest.fixture
def fences(mongo: Mongo) -> Fences:
    """Fences, none of which is raised yet."""
    return Fences(mongo)


def test_a_streamer_that_raised_the_fence_holds_it(fences: Fences) -> None:
    """A second raise changes nothing."""
    assert not fences.holds("1-of-2", 7)
    assert [True, True] == [fences.raise_to("1-of-2", 7), fences.raise_to("1-of-2", 7)]
    assert [True, False] == [fences.holds("1-of-2", 7), fences.holds("2-of-2", 7)]


def test_a_later_token_takes_over(fences: Fences) -> None:
    """The earlier one neither holds nor can be raised again."""
    later = 1_763_424_000_000_000
    fences.raise_to("1-of-1", 7)
    assert fences.raise_to("1-of-1", later)
    assert [False, True] == [fences.holds("1-of-1", 7), fences.holds("1-of-1", later)]
    assert not fences.raise_to("1-of-1", 7)
    assert fences.holds("1-of-1", later)


def test_of_many_at_once_the_largest_token_holds(fences: Fences) -> None:
    """The order does not matter."""
    tokens = [5, 3, 8, 1, 7, 2, 6, 4]
    with ThreadPoolExecutor(len(tokens)) as threads:
        raised = list(threads.map(lambda token: fences.raise_to("1-of-1", token), tokens))
    assert raised[tokens.index(8)]
    assert [token == 8 for token in tokens] == [fences.holds("1-of-1", each) for each in tokens]
