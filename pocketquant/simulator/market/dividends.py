"""Cash dividends of the simulated market, and the history that is adjusted for them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pocketquant.domain.intervals import DAY
from pocketquant.simulator.market.calendars import Ints

Factors = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Dividend:
    """A share that is bought at `ex_time` or later does not receive `amount`, in the currency.

    `ex_time` is the opening of the ex-date's session. Quotes name the dividend from `announced_at`
    on; history that is adjusted for dividends is multiplied from `adjusted_at` on.
    """

    ex_time: int
    amount: float
    announced_at: int
    adjusted_at: int


def adjusted_rows(rows: Ints, factors: Factors) -> Ints:
    """Return the bars with the prices before each ex-date multiplied; volumes stay."""
    prices = np.ones(rows.shape[1])
    for ex_time, factor in factors:
        prices[rows[0] < ex_time] *= factor
    adjusted = rows.copy()
    adjusted[1:5] = np.maximum(1, np.rint(rows[1:5] * prices))
    return adjusted


def quoted(dividends: Iterable[Dividend], now: int) -> dict[str, float | None]:
    """Return the fields of a quote: the newest dividend that was paid, and the next one.

    Dates are midnight UTC; None if there is no such dividend.
    """
    known = sorted((each.ex_time, each.amount) for each in dividends if each.announced_at <= now)
    recent = [each for each in known if each[0] <= now]
    ahead = known[len(recent) :]
    return {
        "dividend_ex_date_recent": _midnight(recent[-1][0]) if recent else None,
        "dividend_amount_recent": recent[-1][1] if recent else None,
        "dividend_ex_date_upcoming": _midnight(ahead[0][0]) if ahead else None,
    }


def _midnight(time: int) -> int:
    return time // DAY * DAY
