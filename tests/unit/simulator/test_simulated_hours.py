"""Bars of the simulated markets open as the calendars from their descriptions predict."""

import msgspec
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import Calendar, check_opens, parse_calendar
from pocketquant.domain.intervals import Interval
from pocketquant.simulator.market import world
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire.answers import resolved
from pocketquant.tradingview.calendar_texts import calendar_texts
from pocketquant.tradingview.messages import Resolved
from tests.resolutions import resolution_of

NOW = 1_795_788_000  # 2026-11-27T14:00:00Z
MARKETS = [each for each in world.listed() if each.has_traded and each.name != "SP:SPX"]


def calendar_of(instrument: world.Instrument) -> Calendar:
    """Return the calendar that a sync makes."""
    texts = calendar_texts(msgspec.convert(resolved(instrument), Resolved))
    assert texts is not None
    return parse_calendar(texts)


@pytest.mark.parametrize(
    ("instrument", "interval"),
    [
        pytest.param(each, interval, id=f"{each.name}-{interval.value}")
        for each in MARKETS
        for interval in Interval
        if not (each.is_daily_only and interval.is_intraday)
    ],
)
def test_every_simulated_bar_is_predicted(instrument: world.Instrument, interval: Interval) -> None:
    """The newest bars open exactly when the calendar says."""
    bars: Bars = Market({}).newest(instrument, resolution_of(interval), NOW, 500).bars
    assert len(bars) > 0
    calendar = calendar_of(instrument)
    assert None is check_opens(calendar, interval, bars.time).unpredicted
    times = bars.time[1:]  # a symbol's first day may begin late
    assert [] == times[~calendar.are_opens(times, interval)].tolist()
