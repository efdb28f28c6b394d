"""The forming bar of an aggregator, for tests that compare it with another one."""

from collections.abc import Iterable, Mapping

from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar, put_together
from pocketquant.domain.symbols import Symbol
from pocketquant.storage.calendars import KeptCalendar

ALWAYS = parse_calendar(CalendarTexts("Etc/UTC", "24x7"))


def kept(
    symbol: str, texts: CalendarTexts = ALWAYS.texts, doubts: Mapping[Interval, int] | None = None
) -> KeptCalendar:
    """The calendar of a symbol as its store returns it."""
    return KeptCalendar(Symbol.parse(symbol), texts, 0, None, doubts or {}, 1)


def aggregator_of(symbols: Iterable[str]) -> BarAggregator:
    """An aggregator for symbols that trade always."""
    aggregator = BarAggregator()
    for symbol in symbols:
        aggregator.learn(symbol, ALWAYS, 0)
    return aggregator


def forming(aggregator: BarAggregator, symbol: str, interval: Interval) -> LiveBar | None:
    """The open bar of the newest period with a tick; None if it is closed."""
    state = aggregator.state(symbol)
    closed_minutes = [bar for bar in state.longer if bar.interval is interval]
    return put_together(
        interval, [*closed_minutes, *state.minutes], state.unseen.seen_since, ALWAYS
    )
