"""Splits of the simulated market: when its prices change scale, and when its history follows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from pocketquant.simulator.market.calendars import Ints
from pocketquant.simulator.market.trading import (
    Book,
    Day,
    MarketEvent,
    OutsideTrade,
    Trade,
)


@dataclass(frozen=True, slots=True)
class Split:
    """From `time` on, one old share is `ratio` new ones; 0.1 is a reverse split of 1 for 10.

    Older bars are adjusted from `adjusted_at` on. If the adjustment is `undone_at` a time, the
    split was announced by mistake, and the market never traded at its prices.
    """

    time: int
    ratio: float
    adjusted_at: int
    undone_at: int | None = None

    @property
    def is_real(self) -> bool:
        return self.undone_at is None

    def is_adjusted(self, now: int) -> bool:
        """Return whether bars older than the split are adjusted at `now`."""
        return self.adjusted_at <= now and (self.undone_at is None or now < self.undone_at)


def scaled_rows(rows: Ints, splits: Iterable[Split], now: int) -> Ints:
    """Return the bars, in steps and lots, as the provider serves them at `now`."""
    prices, volumes = np.ones(rows.shape[1]), np.ones(rows.shape[1])
    for split in splits:
        is_older = rows[0] < split.time
        is_scaled = is_older if split.is_adjusted(now) else np.zeros_like(is_older)
        prices[is_scaled | (~is_older & split.is_real)] /= split.ratio
        volumes[is_scaled] *= split.ratio
    scaled = rows.copy()
    scaled[1:5] = np.maximum(1, np.rint(rows[1:5] * prices))
    scaled[5] = np.rint(rows[5] * volumes)
    return scaled


def traded_scale(splits: Iterable[Split], time: int) -> float:
    """Return the factor of the prices at which the market trades at `time`."""
    scale = 1.0
    for split in splits:
        if split.is_real and split.time <= time:
            scale /= split.ratio
    return scale


def scaled_day(day: Day, scale: float) -> Day:
    """Return a day whose prices, and the close before it, are multiplied."""
    names = ("previous_close", "open", "high", "low", "last")
    return replace(day, **{name: _scaled(getattr(day, name), scale) for name in names})


def scaled_event(event: MarketEvent, scale: float) -> MarketEvent:
    """Return an event whose prices are multiplied."""
    match event:
        case Trade():
            return event._replace(price=_scaled(event.price, scale))
        case Book():
            bid, ask = _scaled(event.bid, scale), _scaled(event.ask, scale)
            return event._replace(bid=bid, ask=max(ask, bid + 1))
        case OutsideTrade() if event.price is not None:
            return event._replace(price=_scaled(event.price, scale))
        case _:
            return event


def _scaled(price: int, scale: float) -> int:
    return max(1, round(price * scale))
