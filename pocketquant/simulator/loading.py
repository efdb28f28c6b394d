"""The messages that bring the bars of a series to the client."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import DAY
from pocketquant.simulator import answers, encoding, misbehaviour
from pocketquant.simulator.calendars import is_open, sessions
from pocketquant.simulator.market import Market, Resolution, close_time
from pocketquant.simulator.misbehaviour import Struck
from pocketquant.simulator.outgoing import Event
from pocketquant.simulator.world import Instrument

_MOST_BARS = 40_000
_PERIOD = re.compile(r"r,(-?[0-9]{1,12}):(-?[0-9]{1,12})")
_SPAN = re.compile(r"([1-9][0-9]{0,3})(M?)")
_DAYS_OF_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class Plan:
    """What an account may do: bars within sessions of one series, series of one chart session."""

    intraday_bars: int
    series: int
    has_custom_minutes: bool
    update_period_seconds: int


ANONYMOUS = Plan(5_000, 1, has_custom_minutes=False, update_period_seconds=5)
PREMIUM = Plan(20_000, 40, has_custom_minutes=True, update_period_seconds=0)


@dataclass(slots=True)
class Series:
    """A series as the client knows it, and how much of it was sent, `older` of it on request.

    `newest` and `newest_index` are of the last bar of the first load.
    """

    chart: str
    name: str
    turnaround: str
    symbol_id: str
    symbol: str
    resolution: Resolution
    resolution_text: str
    count: int
    sent: int = 0
    older: int = 0
    oldest: int | None = None
    newest: int = 0
    newest_index: int = 0

    @property
    def ids(self) -> tuple[str, str, str]:
        return self.chart, self.name, self.turnaround

    def note(self, bars: Bars) -> None:
        """Remember that these bars were sent."""
        if self.oldest is None:
            self.newest, self.newest_index = int(bars.time[-1]), len(bars) - 1
        else:
            self.older += len(bars)
        self.sent += len(bars)
        self.oldest = bars.first_time


@dataclass(frozen=True, slots=True)
class Wanted:
    """The newest `count` bars of a series; where some were sent, as many older ones."""

    series: Series
    instrument: Instrument
    timezone: str
    count: int
    range: str = ""

    @property
    def is_of_a_period(self) -> bool:
        """Whether a stretch of the past is asked for."""
        return _PERIOD.fullmatch(self.range) is not None


def load(wanted: Wanted, plan: Plan, market: Market, struck: Struck, now: int) -> list[Event]:
    """The messages that bring the bars, up to `series_completed`; the series notes what it got.

    A period `r,FROM:TO` is cut out of the newest bars the plan allows.
    """
    series, instrument = wanted.series, wanted.instrument
    cap = plan.intraday_bars if series.resolution.is_intraday else _MOST_BARS
    period = _PERIOD.fullmatch(wanted.range)
    count = cap if period else max(0, min(wanted.count, cap - series.sent))
    stretch = market.newest(instrument, series.resolution, now, count, series.oldest)
    bars = stretch.bars
    if period:
        bars = bars.between(int(period[1]), int(period[2]) + 1)
    is_cut = series.sent + len(stretch.bars) >= cap
    completed = _completed(wanted, plan, stretch.reaches_start, is_cut)
    if not len(bars):
        return [*_empty(wanted, now), completed]
    timeframes = _timeframes(wanted, bars, now) if wanted.range else []
    update = _update(wanted, bars, struck)
    series.note(bars)
    return [*timeframes[:1], update, *timeframes[1:], completed]


def wipe(series: Series) -> Event:
    """The update that clears a series before another symbol's bars, or says there are none."""
    block = {"s": [], "ns": {"d": "", "indexes": []}, "t": series.turnaround}
    return Event("timescale_update", (series.chart, {series.name: block}, encoding.EMPTY_SCALE))


def _empty(wanted: Wanted, now: int) -> list[Event]:
    """Where a first load has no bars: no update while the market is open, an empty one after."""
    is_first = wanted.series.oldest is None
    return (
        [wipe(wanted.series)] if is_first and not is_open(wanted.instrument.calendar, now) else []
    )


def _update(wanted: Wanted, bars: Bars, struck: Struck) -> Event:
    """Older bars have negative indexes: the first bar ever sent has 0."""
    series, instrument = wanted.series, wanted.instrument
    columns = misbehaviour.spoiled(bars.columns, struck)
    columns = columns if instrument.has_volume else columns[:-1]
    first_index = 0 if series.oldest is None else -series.older - len(bars)
    closes_at = close_time(instrument, series.resolution, int(bars.time[-1]))
    block = encoding.block(columns, first_index, series.turnaround, closes_at)
    is_intraday = series.resolution.is_intraday
    scale = encoding.scale(instrument, wanted.timezone, is_intraday, columns[0], first_index)
    return Event("timescale_update", (series.chart, {series.name: block}, scale))


def _timeframes(wanted: Wanted, bars: Bars, now: int) -> list[Event]:
    """The whole span, sent before the bars, and what of it is to be seen, sent after them."""
    last = len(bars) - 1
    seen_from = min(int(np.searchsorted(bars.time, _seen_from(wanted, now))), last)
    ids, span = wanted.series.ids, wanted.range
    return [
        Event("series_timeframe", (*ids, 0, last, span, False)),
        Event("series_timeframe", (*ids, seen_from, last, span, True)),
    ]


def _seen_from(wanted: Wanted, now: int) -> int:
    """The time a named range begins; a name not known here means all."""
    calendar = sessions(wanted.instrument.calendar)
    if wanted.range == "LASTSESSION":
        return int(calendar.opens[calendar.begun_by(now) - 1])
    if wanted.range == "YTD":
        return int(datetime(datetime.fromtimestamp(now, UTC).year, 1, 1, tzinfo=UTC).timestamp())
    span = _SPAN.fullmatch(wanted.range)
    if span is None:
        return 0
    days = int(span[1]) * (_DAYS_OF_MONTH if span[2] else 1)
    return now - int(days * DAY)


def _completed(wanted: Wanted, plan: Plan, is_first: bool, is_cut: bool) -> Event:
    state: dict[str, object] = {"rt_update_period": plan.update_period_seconds}
    if is_first or is_cut:
        state["data_completed"] = "end" if is_first else "limit"
    series = wanted.series
    mode = answers.update_mode(wanted.instrument)
    return Event("series_completed", (series.chart, series.name, mode, series.turnaround, state))
