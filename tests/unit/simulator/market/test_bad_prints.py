"""Bad prints of the simulated market."""

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.simulator.market.bad_prints import BadPrint
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.market.splits import Split
from tests.simulated import known

APPLE = known("NASDAQ:AAPL")
OPEN = 1_795_012_200  # 2026-11-18T14:30:00Z: New York opens
AT = OPEN + 3_630
CLOSE = OPEN + 23_400
DAY = 86400


def changed(market: Market, now: int, resolution: Resolution) -> list[tuple[int, int, float]]:
    """Return time, row and value of all that differs from a market without bad prints."""
    usual, found = (each.newest(APPLE, resolution, now, 500).bars for each in (Market({}), market))
    return differences(usual, found)


def differences(usual: Bars, found: Bars) -> list[tuple[int, int, float]]:
    return [
        (int(usual.columns[0, place]), int(row), float(found.columns[row, place]))
        for row, place in np.argwhere(usual.columns != found.columns)
    ]


@pytest.mark.parametrize(("price", "row"), [(9_000.0, 2), (1.0, 3)])
@pytest.mark.parametrize(
    ("resolution", "opens_at"),
    [
        (Resolution(1, "m"), OPEN + 3_600),
        (Resolution(60, "m"), OPEN + 3_600),
        (Resolution(1, "D"), OPEN),
        (Resolution(1, "W"), OPEN - 2 * DAY),
    ],
)
def test_one_bar_is_far_off_until_it_is_corrected(
    price: float, row: int, resolution: Resolution, opens_at: int
) -> None:
    """The bar of each length that holds the trade has its price; a day later it has not."""
    market = Market({})
    market.bad_print("NASDAQ:AAPL", BadPrint(AT, price, CLOSE + DAY))
    assert [] == changed(market, AT - 1, resolution)
    assert [(opens_at, row, price)] == changed(market, CLOSE, resolution)
    assert [] == changed(market, CLOSE + DAY, resolution)


def test_a_price_of_before_a_split_is_divided() -> None:
    """The price is the one that was printed, in the scale of its time."""
    market, split = Market({}), Split(OPEN + DAY, 10, OPEN + DAY)
    market.bad_print("NASDAQ:AAPL", BadPrint(AT, 9_000.0, CLOSE + 2 * DAY))
    market.split("NASDAQ:AAPL", split)
    daily = Resolution(1, "D")
    assert 9_000.0 == market.newest(APPLE, daily, CLOSE, 1).bars.high[0]
    assert 900.0 == market.newest(APPLE, daily, CLOSE + DAY, 2).bars.high[0]


@pytest.mark.parametrize("time", [OPEN - 3_600, OPEN - 400 * DAY])
def test_a_time_without_a_bar_changes_none(time: int) -> None:
    """No bar holds a time outside the session, or before the bars that are read."""
    market = Market({})
    market.bad_print("NASDAQ:AAPL", BadPrint(time, 9_000.0, CLOSE + DAY))
    assert [] == changed(market, CLOSE, Resolution(1, "m"))
