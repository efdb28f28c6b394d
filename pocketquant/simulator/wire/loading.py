"""The messages that bring the bars of a series to the client."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import DAY
from pocketquant.simulator.market.calendars import is_open, sessions
from pocketquant.simulator.market.prices import BarRange, Market, Resolution, close_time
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import answers, encoding, misbehaviour
from pocketquant.simulator.wire.calls import Anchored
from pocketquant.simulator.wire.misbehaviour import ActiveFaults
from pocketquant.simulator.wire.outgoing import Event

_MOST_BARS = 40_000
_PERIOD = re.compile(r"r,(-?[0-9]{1,12}):(-?[0-9]{1,12})")
_SPAN = re.compile(r"([1-9][0-9]{0,3})(M?)")
_DAYS_OF_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """What an account may do: bars within sessions of one series, series of one chart session."""

    intraday_bars: int
    series: int
    has_custom_minutes: bool
    update_period_seconds: int


ANONYMOUS = AccountPlan(5_000, 1, has_custom_minutes=False, update_period_seconds=5)
PREMIUM = AccountPlan(20_000, 40, has_custom_minutes=True, update_period_seconds=0)


@dataclass(slots=True)
class SimulatedSeries:
    """A series as the client knows it, and how much of it was sent, `older` of it on request.

    `newest` and `newest_index` are of the last bar sent that is no update of a live one.
    `reaches_now` says that there was none after it.
    """

    chart: str
    name: str
    turnaround: str
    symbol_id: str
    symbol: str
    resolution: Resolution
    resolution_text: str
    count: int | Anchored
    sent: int = 0
    older: int = 0
    oldest: int | None = None
    newest: int = 0
    newest_index: int = 0
    reaches_now: bool = False
    is_refused: bool = False

    @property
    def ids(self) -> tuple[str, str, str]:
        return self.chart, self.name, self.turnaround

    def note(self, bars: Bars) -> None:
        """Remember that these bars were sent."""
        first, last = int(bars.time[0]), int(bars.time[-1])
        self.sent += len(bars)
        if self.oldest is None:
            self.oldest, self.newest, self.newest_index = first, last, len(bars) - 1
        elif last < self.oldest:
            self.oldest = first
            self.older += len(bars)
        else:
            self.newest = last
            self.newest_index += len(bars)

    def first_index(self, bars: Bars) -> int:
        """The index of the first of these bars, which are not sent yet.

        That of the first bar ever sent is 0; older ones have negative indexes.
        """
        if self.oldest is None:
            return 0
        is_older = int(bars.time[-1]) < self.oldest
        return -self.older - len(bars) if is_older else self.newest_index + 1


@dataclass(frozen=True, slots=True)
class BarsRequest:
    """The newest `count` bars of a series; where some were sent, as many older ones.

    Newer ones where the count is negative; none where it is 0 and no range says which.
    """

    series: SimulatedSeries
    instrument: Instrument
    timezone: str
    count: int | Anchored
    range: str = ""

    @property
    def period(self) -> tuple[int, int] | None:
        """From when to when bars are asked for, if they are by that."""
        found = _PERIOD.fullmatch(self.range)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def is_of_a_period(self) -> bool:
        """Whether a stretch of the past is asked for."""
        return self.period is not None


def load(
    wanted: BarsRequest, plan: AccountPlan, market: Market, active: ActiveFaults, now: int
) -> list[Event]:
    """The messages that bring the bars, up to `series_completed`; the series notes what it got.

    Bars that were sent are not sent again, and what the plan does not reach is not there. Where
    history begins after the time of an anchor, nothing comes at all.
    """
    series = wanted.series
    cap = plan.intraday_bars if series.resolution.is_intraday else _MOST_BARS
    chosen = _Choice(wanted, cap, market, now)
    stretch = chosen.stretch()
    if stretch is None:
        return []
    is_known = series.oldest is not None
    timeframes = _timeframes(wanted, stretch.bars, now) if wanted.range and not is_known else []
    updates = [_updated(wanted, bars, active) for bars in _unsent(series, stretch.bars)]
    if is_known and wanted.period:
        timeframes = _timeframes_known(wanted, wanted.period, market, now)
    if wanted.is_of_a_period or isinstance(series.count, Anchored):
        newest = market.newest(wanted.instrument, series.resolution, now, 1).bars.last_time
        series.reaches_now = series.newest == newest
    elif not is_known:
        series.reaches_now = True
    is_cut = series.sent >= cap or chosen.is_cut(stretch)
    completed = _completed(wanted, plan, stretch.reaches_start, is_cut)
    if not updates and not is_known:
        return [*_empty(wanted, now), completed]
    return [*timeframes[:1], *updates, *timeframes[1:], completed]


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which bars an answer is about, of those that the plan reaches."""

    wanted: BarsRequest
    cap: int
    market: Market
    now: int

    def stretch(self) -> BarRange | None:
        """The bars, sent or not; None where the answer never comes."""
        series, count, period = self.wanted.series, self.wanted.count, self.wanted.period
        if period:
            return self._of_a_period(*period)
        if isinstance(count, Anchored):
            return self._anchored(count)
        if count < 0:
            return BarRange(
                self._reached().bars.between(series.newest + 1, None).first(-count), False
            )
        return self._newest(max(0, min(count, self.cap - series.sent)), series.oldest)

    def is_cut(self, stretch: BarRange) -> bool:
        """Whether the plan is why there are no older bars than these."""
        is_chosen = self.wanted.period or isinstance(self.wanted.count, Anchored)
        reached = self._reached() if is_chosen and len(stretch.bars) else None
        return bool(
            reached
            and not reached.reaches_start
            and reached.bars.first_time == stretch.bars.first_time
        )

    def _of_a_period(self, start: int, end: int) -> BarRange:
        """A chart has no holes: of a period before what was sent, all up to that."""
        oldest, reached = self.wanted.series.oldest, self._reached()
        end = end + 1 if oldest is None else max(end + 1, oldest)
        bars = reached.bars.between(start, end)
        is_whole = len(bars) > 0 and bars.first_time == reached.bars.first_time
        return BarRange(bars, reached.reaches_start and is_whole)

    def _anchored(self, anchor: Anchored) -> BarRange | None:
        reached = self._reached()
        bars, time = reached.bars, int(anchor.time)
        if anchor.count < 0:
            return BarRange(bars.between(time + 1, None).first(-anchor.count), False)
        if reached.reaches_start and len(bars) and time < int(bars.time[0]):
            return None
        up_to = bars.between(None, time + 1)
        reaches_start = reached.reaches_start and len(up_to) <= anchor.count
        return BarRange(up_to.last(anchor.count), reaches_start)

    def _reached(self) -> BarRange:
        """All that the plan reaches."""
        return self._newest(self.cap, None)

    def _newest(self, count: int, before: int | None) -> BarRange:
        series = self.wanted.series
        return self.market.newest(
            self.wanted.instrument, series.resolution, self.now, count, before
        )


def _unsent(series: SimulatedSeries, bars: Bars) -> list[Bars]:
    """What of these bars the client does not have, older and newer."""
    if series.oldest is None:
        parts = [bars]
    else:
        parts = [bars.between(None, series.oldest), bars.between(series.newest + 1, None)]
    return [part for part in parts if len(part)]


def wipe(series: SimulatedSeries) -> Event:
    """The update that clears a series before another symbol's bars, or says there are none."""
    block = {"s": [], "ns": {"d": "", "indexes": []}, "t": series.turnaround}
    return Event("timescale_update", (series.chart, {series.name: block}, encoding.EMPTY_SCALE))


def _empty(wanted: BarsRequest, now: int) -> list[Event]:
    """Where a first load has no bars: no update while the market is open, an empty one after."""
    is_first = wanted.series.oldest is None
    return (
        [wipe(wanted.series)] if is_first and not is_open(wanted.instrument.calendar, now) else []
    )


def _updated(wanted: BarsRequest, bars: Bars, active: ActiveFaults) -> Event:
    """The message that brings the bars; the series notes them."""
    series, instrument = wanted.series, wanted.instrument
    columns = misbehaviour.spoiled(bars.columns, active)
    columns = columns if instrument.has_volume else columns[:-1]
    first_index = series.first_index(bars)
    closes_at = close_time(instrument, series.resolution, int(bars.time[-1]))
    block = encoding.block(columns, first_index, series.turnaround, closes_at)
    is_intraday = series.resolution.is_intraday
    scale = encoding.scale(instrument, wanted.timezone, is_intraday, columns[0], first_index)
    series.note(bars)
    return Event("timescale_update", (series.chart, {series.name: block}, scale))


def _timeframes(wanted: BarsRequest, bars: Bars, now: int) -> list[Event]:
    """The whole span, sent before the bars, and what of it is to be seen, sent after them."""
    last = len(bars) - 1
    seen_from = min(int(np.searchsorted(bars.time, _seen_from(wanted, now))), last)
    ids, span = wanted.series.ids, wanted.range
    return [
        Event("series_timeframe", (*ids, 0, last, span, False)),
        Event("series_timeframe", (*ids, seen_from, last, span, True)),
    ]


def _timeframes_known(
    wanted: BarsRequest, period: tuple[int, int], market: Market, now: int
) -> list[Event]:
    """The part of a known series that a period holds, said twice, by the indexes of its scale."""
    series = wanted.series
    loaded = market.newest(
        wanted.instrument, series.resolution, now, series.sent, series.newest + 1
    ).bars.between(series.oldest, None)
    first = -series.older + int(np.searchsorted(loaded.time, period[0]))
    last = -series.older + int(np.searchsorted(loaded.time, period[1], "right")) - 1
    span = (*series.ids, first, last, wanted.range)
    return [Event("series_timeframe", (*span, is_seen)) for is_seen in (False, True)]


def _seen_from(wanted: BarsRequest, now: int) -> int:
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


def _completed(wanted: BarsRequest, plan: AccountPlan, is_first: bool, is_cut: bool) -> Event:
    state: dict[str, object] = {"rt_update_period": plan.update_period_seconds}
    if is_first or is_cut:
        state["data_completed"] = "end" if is_first else "limit"
    series = wanted.series
    mode = answers.update_mode(wanted.instrument)
    return Event("series_completed", (series.chart, series.name, mode, series.turnaround, state))
