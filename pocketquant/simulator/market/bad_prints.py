"""Bad prints of the simulated market: trades far off, which the provider takes back later."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pocketquant.simulator.market.calendars import Ints


@dataclass(frozen=True, slots=True)
class BadPrint:
    """A trade at `time` for a wrong `price`, in the currency; bars have it until `corrected_at`."""

    time: int
    price: float
    corrected_at: int

    def is_shown(self, now: int) -> bool:
        return self.time <= now < self.corrected_at


def printed_rows(rows: Ints, time: int, price: int, closes: Callable[[int], int]) -> Ints:
    """Return the bars, of which the one that holds `time` reaches the price, in steps.

    `closes` returns when the bar that opened at a time closes.
    """
    index = int(np.searchsorted(rows[0], time, "right")) - 1
    if index < 0 or closes(int(rows[0, index])) < time:
        return rows
    printed = rows.copy()
    printed[2, index] = max(printed[2, index], price)
    printed[3, index] = min(printed[3, index], price)
    return printed
