"""Simulated symbols, and the calendars that syncs of them make."""

import msgspec

from pocketquant.domain.calendar import Calendar, parse_calendar
from pocketquant.simulator.market import world
from pocketquant.simulator.wire.answers import resolved
from pocketquant.tradingview.calendar_texts import calendar_texts
from pocketquant.tradingview.messages import Resolved


def known(name: str) -> world.Instrument:
    """Return a symbol that exists."""
    instrument = world.find(name)
    assert instrument is not None
    return instrument


def calendar_of(instrument: world.Instrument) -> Calendar:
    """Return the calendar that a sync makes of the symbol's description."""
    texts = calendar_texts(msgspec.convert(resolved(instrument), Resolved))
    assert texts is not None
    return parse_calendar(texts)
