"""The simulated markets and the calendars of their descriptions agree: two witnesses.

The simulator makes its sessions with code of its own, and writes texts of them; the product reads
the texts.
"""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from pocketquant.domain.calendar import check_opens
from pocketquant.domain.calendar.zones import Ints
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.simulator.market import paths, world
from pocketquant.simulator.market.calendars import Sessions, sessions
from pocketquant.simulator.market.prices import Market, opens_of
from tests.resolutions import resolution_of
from tests.simulated import calendar_of, known

YEARS = [int(np.datetime64(f"{year}-01-01", "s").astype(int)) for year in range(2024, 2029)]
EXCHANGES = (
    "NASDAQ:AAPL",
    "NSE:RELIANCE",
    "HKEX:700",
    "OANDA:EURUSD",
    "CME_MINI:ES1!",
    "TVC:DXY",
    "ICEEUR:BRN1!",
    "CME:BTC1!",
    "BINANCE:BTCUSDT",
)
INTRADAY = tuple(interval for interval in Interval if interval.is_intraday)
LONG = tuple(interval for interval in Interval if not interval.is_intraday)


def years_of(simulated: Sessions) -> list[tuple[int, int]]:
    """Return the numbers of the trading dates of each year."""
    return list(pairwise(np.searchsorted(simulated.dates * DAY, YEARS).tolist()))


@pytest.mark.parametrize(
    ("name", "session"), [*((name, "regular") for name in EXCHANGES), ("NASDAQ:AAPL", "extended")]
)
def test_both_make_the_same_sessions(name: str, session: str) -> None:
    """Every session of four years opens and closes in the same second, on the same trading day."""
    instrument = world.resolve(name, session)
    assert instrument is not None
    simulated = sessions(instrument.calendar)
    counts = np.diff(simulated.firsts)
    days = np.repeat(simulated.dates, counts).astype("datetime64[D]")
    chosen = (days >= np.datetime64("2024-01-01")) & (days < np.datetime64("2028-01-01"))
    calendar = calendar_of(instrument)
    predicted = [
        (each.trading_day, each.open, each.close)
        for day in calendar.trading_days(date(2024, 1, 1), date(2028, 1, 1)).tolist()
        for each in calendar.sessions_of(day)
    ]
    opened, closed = simulated.starts[chosen].tolist(), simulated.ends[chosen].tolist()
    assert predicted == list(zip(days[chosen].tolist(), opened, closed, strict=True))


@pytest.mark.parametrize("name", EXCHANGES)
def test_each_bar_of_four_years_is_predicted(name: str) -> None:
    """Bars up to 4h of four years open exactly when the calendar says: none is missing or extra."""
    instrument = known(name)
    calendar = calendar_of(instrument)
    for first, last in years_of(sessions(instrument.calendar)):
        times, are_open = paths.minutes_in(instrument, paths.hours(instrument, first, last)[0])
        minutes = times[are_open]
        start, end = int(minutes[0]), int(minutes[-1]) + 1
        for interval in INTRADAY:
            opens = opens_of(instrument, resolution_of(interval).count, minutes)
            assert_equal(calendar.opens(interval, start, end), opens[np.diff(opens, prepend=0) > 0])


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize("interval", LONG)
def test_each_day_week_and_month_is_predicted(name: str, interval: Interval) -> None:
    """Days, weeks and months of four years open exactly when the calendar says."""
    market, now = Market({}), YEARS[-1] + 40 * DAY
    bars = market.newest(known(name), resolution_of(interval), now, 2000).bars
    bars = bars.between(YEARS[0], YEARS[-1])
    opens = calendar_of(known(name)).opens(interval, YEARS[0], YEARS[-1])
    assert_equal(opens, bars.time)


@pytest.mark.parametrize("interval", Interval)
def test_a_stock_that_seldom_trades_is_predicted(interval: Interval) -> None:
    """A session without any trade has no bar; its calendar is right all the same."""
    seldom = known("OTC:SELDOM")
    bars = Market({}).newest(seldom, resolution_of(interval), YEARS[-1], 2000).bars
    calendar = calendar_of(seldom)
    assert None is check_opens(calendar, interval, bars.time).unpredicted
    assert [True] * len(bars) == calendar.are_opens(bars.time, interval).tolist()
    traded = calendar.trading_days_at(bars.time).astype(object)
    weekdays = {day.weekday() for day in traded.tolist()}
    assert interval in (Interval.W1, Interval.MONTH) or weekdays == {0, 2, 4}


@pytest.mark.parametrize("interval", [*INTRADAY, Interval.D1])
def test_a_wrong_description_is_found_out(interval: Interval) -> None:
    """A stock that trades later than the server says has bars that were not predicted."""
    late = known("OTC:LATE")
    bars = Market({}).newest(late, resolution_of(interval), YEARS[-1], 2000).bars
    assert check_opens(calendar_of(late), interval, bars.time).unpredicted is not None


@pytest.mark.parametrize(
    "instrument", [each for each in world.listed() if each.has_traded], ids=lambda each: each.name
)
def test_every_symbol_has_a_calendar(instrument: world.Instrument) -> None:
    """Its newest minutes are predicted, but for the stock with the wrong description."""
    if instrument.is_daily_only:
        return
    minutes = Market({}).newest(instrument, resolution_of(Interval.M1), YEARS[2], 500).bars
    unpredicted = check_opens(calendar_of(instrument), Interval.M1, minutes.time).unpredicted
    assert (instrument.name == "OTC:LATE") is (unpredicted is not None)


def assert_equal(predicted: Ints, simulated: Ints) -> None:
    """Compare quickly; if they differ, show the first bars that do."""
    if not np.array_equal(predicted, simulated):
        missing, extra = np.setdiff1d(predicted, simulated), np.setdiff1d(simulated, predicted)
        assert ([], []) == (missing[:5].tolist(), extra[:5].tolist())
        assert len(predicted) == len(simulated)
