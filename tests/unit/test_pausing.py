"""Pauses between attempts."""

from itertools import islice

from pocketquant.pausing import growing_pauses


def test_pauses_end_with_the_longest_one() -> None:
    """The longest pause repeats without end."""
    assert [0.2, 0.5, 5.0, 5.0] == list(islice(growing_pauses(0.2, 0.5, longest=5.0), 4))
