"""Cash dividends of the simulated market."""

import pytest

from pocketquant.domain.bars import Bars
from pocketquant.simulator.market.dividends import Dividend
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.market.splits import Split
from pocketquant.simulator.market.world import resolve

OPEN = 1_795_012_200  # 2026-11-18T14:30:00Z: New York opens
MIDNIGHT = 1_794_960_000
CLOSE = OPEN + 23_400
DAY = 86400


def paying(*dividends: Dividend) -> Market:
    market = Market({})
    for each in dividends:
        market.dividend("NASDAQ:AAPL", each)
    return market


def bars(market: Market, now: int, adjustment: str, session: str = "regular") -> Bars:
    instrument = resolve("NASDAQ:AAPL", session, adjustment=adjustment)
    assert instrument is not None
    resolution = Resolution(1, "D") if session == "regular" else Resolution(60, "m")
    return market.newest(instrument, resolution, now, 10).bars


def ratios(market: Market, now: int, session: str = "regular") -> list[float]:
    """Return what adjusted closes are of the closes that are adjusted for splits alone."""
    plain, adjusted = (bars(market, now, each, session) for each in ("splits", "dividends"))
    found: list[float] = (adjusted.close / plain.close).tolist()
    return found


def test_history_before_the_ex_date_is_multiplied() -> None:
    """The factor is what the dividend leaves of the close before; volumes stay."""
    market, now = paying(Dividend(OPEN, 9.0, 0, OPEN)), CLOSE + DAY
    plain, adjusted = bars(market, now, "splits"), bars(market, now, "dividends")
    factor = 1 - 9 / float(plain.between(None, OPEN).close[-1])
    assert 0.97 < factor < 0.98
    assert pytest.approx([factor] * 8 + [1.0] * 2, rel=1e-3) == ratios(market, now)
    assert plain.volume.tolist() == adjusted.volume.tolist()


def test_other_series_show_no_dividend() -> None:
    """Bars that are adjusted for splits alone are those of a market without the dividend."""
    market = paying(Dividend(OPEN, 9.0, 0, OPEN))
    for adjustment in ("splits", "none"):
        assert bars(Market({}), CLOSE, adjustment) == bars(market, CLOSE, adjustment)


def test_a_provider_that_is_late() -> None:
    """History is multiplied once the provider adjusts it."""
    market = paying(Dividend(OPEN, 9.0, 0, OPEN + DAY))
    assert [1.0] * 10 == ratios(market, CLOSE)
    assert 1 > ratios(market, CLOSE + DAY)[0]


def test_factors_are_multiplied() -> None:
    """The oldest bars carry all later dividends."""
    one, other = Dividend(OPEN, 9.0, 0, OPEN), Dividend(OPEN + DAY, 4.5, 0, OPEN + DAY)
    now = CLOSE + 2 * DAY
    both, first, second = (ratios(paying(*each), now) for each in ((one, other), (one,), (other,)))
    expected = [a * b for a, b in zip(first, second, strict=True)]
    assert pytest.approx(expected, rel=1e-3) == both


def test_a_split_scales_the_close_that_the_amount_is_compared_with() -> None:
    """The amount is in the prices of the ex-date, also if a split changes them that day."""
    market = paying(Dividend(OPEN, 0.9, 0, OPEN))
    market.split("NASDAQ:AAPL", Split(OPEN, 10, OPEN))
    unsplit = ratios(paying(Dividend(OPEN, 9.0, 0, OPEN)), CLOSE)
    assert pytest.approx(unsplit, rel=2e-3) == ratios(market, CLOSE)


def test_extended_hours_are_adjusted_by_the_regular_close() -> None:
    """Bars before the opening of the ex-date belong to the past."""
    market = paying(Dividend(OPEN, 9.0, 0, OPEN))
    found = ratios(market, OPEN + 2 * 3600, "extended")
    assert pytest.approx(ratios(market, CLOSE)[0], rel=1e-3) == found[0]
    assert 1.0 == found[-1]


def test_quotes_name_dividends() -> None:
    """A quote has the newest dividend that was paid and the next one, once it is announced."""
    market = paying(
        Dividend(OPEN, 9.0, 0, OPEN), Dividend(OPEN + 7 * DAY, 4.5, OPEN + DAY, OPEN + 7 * DAY)
    )
    instrument = resolve("NASDAQ:AAPL")
    assert instrument is not None
    quoted = [
        [*market.dividends(instrument, now).values()]
        for now in (OPEN - 1, OPEN, OPEN + DAY, OPEN + 7 * DAY)
    ]
    week = MIDNIGHT + 7 * DAY
    assert [
        [None, None, MIDNIGHT],
        [MIDNIGHT, 9.0, None],
        [MIDNIGHT, 9.0, week],
        [week, 4.5, None],
    ] == quoted
    assert {} == Market({}).dividends(instrument, OPEN)


def test_a_symbol_without_adjustment_ignores_the_choice() -> None:
    """Only shares are adjusted."""
    assert resolve("SIM:S0001") == resolve("SIM:S0001", adjustment="dividends")
