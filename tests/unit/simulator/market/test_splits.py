"""Splits of the simulated market."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.market.splits import Split
from pocketquant.simulator.market.trading import Book, MarketEvent, OutsideTrade, Trade
from tests.simulated import known

APPLE = known("NASDAQ:AAPL")
DAILY = Resolution(1, "D")
OPEN = 1_795_012_200  # 2026-11-18T14:30:00Z: New York opens
CLOSE = OPEN + 23_400
DAY = 86400


def split(*splits: Split) -> Market:
    market = Market({})
    for each in splits:
        market.split("NASDAQ:AAPL", each)
    return market


def days(market: Market, now: int) -> Bars:
    return market.newest(APPLE, DAILY, now, 10).bars


def ratios(market: Market, now: int) -> list[float]:
    """Return how many times higher each close is where nothing was ever split."""
    found: list[float] = (days(Market({}), now).close / days(market, now).close).tolist()
    return found


@pytest.mark.parametrize("ratio", [10, 0.1])
def test_a_split_divides_all_prices(ratio: float) -> None:
    """Older bars are adjusted, with their volumes; the next bars trade in the new scale."""
    market, now = split(Split(OPEN, ratio, OPEN)), OPEN + 2 * DAY + 23_400
    assert pytest.approx([ratio] * 10, rel=1e-3) == ratios(market, now)
    volumes = (days(market, now).volume / days(Market({}), now).volume).tolist()
    assert pytest.approx([ratio] * 7 + [1.0] * 3, rel=1e-3) == volumes


def test_a_provider_that_is_late() -> None:
    """Until it adjusts its history, older bars have the old scale and newer ones the new."""
    market, now = split(Split(OPEN, 10, OPEN + 2 * DAY)), CLOSE + DAY
    assert pytest.approx([1.0] * 8 + [10] * 2, rel=1e-3) == ratios(market, now)
    assert pytest.approx([10.0] * 10, rel=1e-3) == ratios(market, OPEN + 2 * DAY + 3600)


def test_an_adjustment_that_is_undone() -> None:
    """The history is adjusted for a while; the market never trades in another scale."""
    market = split(Split(OPEN, 10, OPEN, undone_at=OPEN + 2 * DAY))
    assert pytest.approx([10.0] * 9 + [1.0], rel=1e-3) == ratios(market, CLOSE)
    assert pytest.approx([1.0] * 10, rel=1e-3) == ratios(market, OPEN + 2 * DAY)


def test_another_split_the_next_day() -> None:
    """The ratios are multiplied."""
    market = split(Split(OPEN, 10, OPEN), Split(OPEN + DAY, 0.2, OPEN + DAY))
    assert pytest.approx([2.0] * 10, rel=1e-3) == ratios(market, CLOSE + 2 * DAY)


def events(market: Market, after: int) -> Iterator[MarketEvent]:
    return islice(market.market_events(APPLE, after), 400)


def test_quotes_trade_in_the_new_scale() -> None:
    """Day, trades, book and trades outside the session are divided from the split on."""
    whole = Market({})
    market = split(Split(OPEN, 10, OPEN), Split(OPEN, 7, OPEN, undone_at=OPEN + DAY))
    for now in (OPEN - 7200, OPEN + 600, CLOSE + 60):
        scale = 1 if now < OPEN else 10
        day, of_whole = market.day(APPLE, now), whole.day(APPLE, now)
        assert day is not None
        assert of_whole is not None
        assert pytest.approx(of_whole.last / scale, abs=1) == day.last
        assert of_whole.total == day.total
        for event, other in zip(events(market, now), events(whole, now), strict=True):
            match event, other:
                case (Trade(), Trade()) | (OutsideTrade(price=int()), OutsideTrade(price=int())):
                    expected = other.price / (1 if event.time < OPEN else 10)
                    assert pytest.approx(expected, abs=1) == event.price
                case Book(), Book():
                    assert event.bid < event.ask
                case _:
                    assert other == event


def test_the_day_equals_its_bar_after_a_split() -> None:
    """The quote's day has the prices of the day's bar."""
    market = split(Split(OPEN, 10, OPEN))
    day, bar = market.day(APPLE, CLOSE), days(market, CLOSE).last(1)
    assert day is not None
    quoted = np.array([day.open, day.high, day.low, day.last]) / APPLE.pricescale
    assert quoted.tolist() == bar.columns[1:5, 0].tolist()


def test_no_price_falls_to_zero() -> None:
    """A price of less than a step is shown as one step."""
    market = split(Split(OPEN, 1_000_000, OPEN))
    assert [0.01] * 10 == days(market, CLOSE).low.tolist()


def test_a_symbol_without_trades_has_no_day() -> None:
    """A split changes nothing of a symbol that never traded."""
    market = Market({})
    market.split("NYSE:UNBORN", Split(OPEN, 10, OPEN))
    assert market.day(known("NYSE:UNBORN"), CLOSE) is None
