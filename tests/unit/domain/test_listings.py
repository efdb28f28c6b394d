"""The description of a symbol."""

import pytest

from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Symbol


@pytest.mark.parametrize(
    ("price_scale", "min_move", "expected"),
    [(100, 1, 0.01), (100, 25, 0.25), (None, 1, None), (100, None, None), (0, 1, None)],
)
def test_the_tick_size_is_the_smallest_step(
    price_scale: int | None, min_move: int | None, expected: float | None
) -> None:
    """The provider sends it as a fraction."""
    symbol = Symbol("CME_MINI", "ES1!")
    listing = Listing(symbol, price_scale=price_scale, min_move=min_move)
    assert expected == listing.tick_size
