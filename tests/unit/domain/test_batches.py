"""Items in lists of one size."""

from itertools import count

import pytest

from pocketquant.domain.batches import batched


@pytest.mark.parametrize(
    ("items", "batches"),
    [
        ("", []),
        ("ab", [["a", "b"]]),
        ("abcd", [["a", "b"], ["c", "d"]]),
        ("abc", [["a", "b"], ["c"]]),
    ],
)
def test_the_last_batch_may_be_shorter(items: str, batches: list[list[str]]) -> None:
    """Every item is in one batch, in order, and no batch is empty."""
    assert batches == list(batched(items, 2))


def test_items_are_taken_batch_by_batch() -> None:
    """An endless iterable works, since each batch is read only when it is needed."""
    numbers = count()
    batches = batched(numbers, 3)
    assert [0, 1, 2] == next(batches)
    assert 3 == next(numbers)
