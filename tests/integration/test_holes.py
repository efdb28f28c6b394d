"""Holes: what a series lacks is named, and a repair fills it, on five calendars."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.coverage import Ints, Missing, MissingBars
from pocketquant.domain.errors import NotFound
from pocketquant.domain.intervals import DAY, HOUR, Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.revisions import ALWAYS, Versions
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import History, Page, Stop, SyncRequest, UnitState
from pocketquant.history.holes import Holes
from pocketquant.messaging.queues import QueueName
from pocketquant.storage import chunks
from pocketquant.wiring import Platform
from tests.integration.syncers import syncer_with
from tests.simulated import calendar_of, known

AAPL = Series.parse("NASDAQ:AAPL|1h")
NAMES = ("NASDAQ:AAPL", "BINANCE:BTCUSDT", "NSE:RELIANCE", "HKEX:700", "OANDA:EURUSD")
INTERVALS = (Interval.M1, Interval.H1, Interval.D1)
BEGINNING = int(datetime(2025, 10, 1, tzinfo=UTC).timestamp())


@dataclass
class Market:
    """Serves the bars of calendars up to `now`; of minutes a seventh has no trade."""

    now: int = int(datetime(2026, 3, 10, 15, 0, 30, tzinfo=UTC).timestamp())
    asked: list[SyncRequest] = field(default_factory=list)
    _texts: dict[Symbol, CalendarTexts] = field(default_factory=dict)

    def bars(self, series: Series) -> Ints:
        """Return when each bar opened that has closed and had a trade."""
        calendar = calendar_of(known(str(series.symbol)))
        self._texts[series.symbol] = calendar.texts
        bars = calendar.bars(series.interval, BEGINNING, self.now)
        opens = bars.opens[bars.closes <= self.now]
        return opens[opens // 60 % 7 != 3] if series.interval is Interval.M1 else opens

    def fetch(self, request: SyncRequest) -> History:
        self.asked.append(request)
        times = self.bars(request.series)[-request.n_bars :].astype(np.float64)
        symbol = request.series.symbol
        listing = Listing(symbol, hours=self._texts[symbol])
        return History(Bars(np.array([times] * 6)), listing=listing, reached_at=self.now)

    def pages(self, request: SyncRequest, oldest: int | None) -> Generator[Page]:
        self.asked.append(request)
        times = self.bars(request.series)
        upper = oldest if oldest is not None else request.end
        is_newest = upper is None
        while True:
            known = times if upper is None else times[times < upper]
            page = known[-5000:][known[-5000:] >= (request.start or 0)].astype(np.float64)
            is_last = len(page) < 5000
            history = History(Bars(np.array([page] * 6)), reached_at=self.now)
            yield Page(history, Stop.REACHED if is_last else None, is_newest)
            if is_last:
                return
            upper, is_newest = int(page[0]), False

    def hang_up(self) -> None:
        """Not needed: a fetch takes no time."""


@pytest.fixture
def market() -> Market:
    return Market()


@pytest.fixture
def sync(wired: Platform, market: Market) -> Callable[..., list[SyncRequest]]:
    """Syncs series; returns what was asked of the market."""
    syncer = syncer_with(wired, market, lambda: float(market.now))

    def do(*requests: SyncRequest) -> list[SyncRequest]:
        market.asked.clear()
        for request in requests:
            unit_id = wired.intake.submit(request, QueueName.BULK).unit.id
            syncer.do(unit_id)
            unit = wired.ledger.get_unit(unit_id)
            assert unit is not None
            assert UnitState.COMPLETED is unit.state, unit.error
        return list(market.asked)

    return do


@pytest.fixture
def holes(wired: Platform, market: Market) -> Holes:
    """The use-case by the market's clock."""
    return replace(wired.holes, clock=lambda: float(market.now))


def missing(holes: Holes, series: Series) -> Missing:
    found = holes.find(series).missing
    assert found is not None
    return found


def covered(runs: list[MissingBars], times: Ints) -> bool:
    """Whether each of the times lies in a run."""
    return all(any(run.first_time <= time <= run.last_time for run in runs) for time in times)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("name", NAMES)
def test_holes_are_named_and_gone_after_one_repair(
    wired: Platform,
    market: Market,
    sync: Callable[..., object],
    holes: Holes,
    name: str,
    interval: Interval,
) -> None:
    """No hole at first; then lost chunks and bars, then days without a worker; then none."""
    series, random = Series.parse(f"{name}|{interval.value}"), Random(7)
    sync(SyncRequest(series, 3000))
    assert [] == missing(holes, series).fillable
    is_seldom = interval is Interval.M1
    assert is_seldom == (len(missing(holes, series).untraded) > 0)

    lost = punch(wired, series, random)
    found = missing(holes, series)
    assert covered(found.lost, lost)
    assert [] == found.not_fetched + found.not_synced
    sync(*holes.repairs([series.symbol], [interval]))
    assert [] == missing(holes, series).fillable
    assert np.isin(lost, wired.bars.read(series).time).all()

    last = wired.bars.extent(series).last_time
    market.now += 3 * DAY if interval is Interval.M1 else 30 * DAY
    expected = market.bars(series)
    found = missing(holes, series)
    assert covered(found.not_synced, expected[expected > (last or 0)])
    assert [] == found.not_fetched + found.lost
    sync(*holes.repairs([series.symbol], []))
    assert [] == missing(holes, series).fillable
    assert np.isin(expected[expected > (last or 0)], wired.bars.read(series).time).all()
    assert [] == list(holes.repairs([series.symbol], []))


def punch(wired: Platform, series: Series, random: Random) -> Ints:
    """Delete a chunk, and some bars of another one; return when they open."""
    ids = wired.bars.chunk_ids(series)
    collection, before = wired.mongo["ohlcv"], wired.bars.read(series).time
    whole, part = (ids[0], ids[-1]) if len(ids) > 1 else ("", ids[0])
    collection.delete_one({"_id": whole})
    bars = chunks.decode(collection.find_one({"_id": part})["columns"])  # type: ignore[index]
    gone = random.sample(range(len(bars)), len(bars) // 3)
    rest = Bars(np.delete(bars.columns, gone, axis=1))
    document = chunks.encode(series, part, Versions.new(rest, ALWAYS), None, datetime.now(UTC))
    collection.replace_one({"_id": part}, document)
    return np.setdiff1d(before, wired.bars.read(series).time)


def test_a_small_sync_after_a_pause_leaves_no_hole(
    wired: Platform, market: Market, sync: Callable[..., list[SyncRequest]], holes: Holes
) -> None:
    """It fetches back to what was fetched before; without a pause it fetches no more."""
    sync(SyncRequest(AAPL, 100))
    market.now += 3 * HOUR
    assert [15] == [each.n_bars for each in sync(SyncRequest(AAPL, 15))]
    market.now += 10 * DAY
    assert 2 == len(sync(SyncRequest(AAPL, 3)))
    assert [] == missing(holes, AAPL).fillable
    stored = wired.bars.read(AAPL).time
    assert market.bars(AAPL)[-len(stored) :].tolist() == stored.tolist()


def test_a_weekend_between_two_fetches_is_no_gap(
    wired: Platform, market: Market, sync: Callable[..., list[SyncRequest]]
) -> None:
    """A fetch from the first bar after it is repeated to be compared; it joins the stretches."""
    market.now = int(datetime(2026, 3, 6, 23, tzinfo=UTC).timestamp())
    sync(SyncRequest(AAPL, 50))
    market.now = int(datetime(2026, 3, 9, 15, 45, tzinfo=UTC).timestamp())
    assert [2, 97] == [each.n_bars for each in sync(SyncRequest(AAPL, 2))]
    kept = wired.statuses.coverage(AAPL)
    assert kept is not None
    assert 1 == len(kept.coverage.ranges)


def test_bars_that_the_provider_no_longer_serves_are_asked_for_once(
    market: Market, sync: Callable[..., list[SyncRequest]], holes: Holes
) -> None:
    """Their stretch is limited, and no repair asks for it again."""
    sync(SyncRequest(AAPL, 20))
    served = market.bars
    market.now += 30 * DAY
    market.bars = lambda series: served(series)[-30:]  # type: ignore[method-assign]
    assert 2 == len(sync(SyncRequest(AAPL, 3)))
    found = missing(holes, AAPL)
    assert ([], True) == (found.fillable, len(found.not_served) > 0)
    assert 1 == len(sync(SyncRequest(AAPL, 12)))


def test_a_gap_beyond_the_largest_fetch_is_left_to_a_repair(
    market: Market, sync: Callable[..., list[SyncRequest]], holes: Holes
) -> None:
    """Later syncs do not try in vain each time. A repair takes page after page, to its end."""
    minutes = Series.parse("BINANCE:BTCUSDT|1m")
    sync(SyncRequest(minutes, 100))
    market.now += 12 * DAY
    assert [50, 5000] == [each.n_bars for each in sync(SyncRequest(minutes, 50))]
    left = missing(holes, minutes).not_fetched
    assert sum(hole.count for hole in left) > 5000
    assert [50] == [each.n_bars for each in sync(SyncRequest(minutes, 50))]
    (repair,) = holes.repairs([minutes.symbol], [])
    assert (left[0].first_time, left[-1].last_time + 1) == (repair.start, repair.end)
    sync(repair)
    assert [] == missing(holes, minutes).fillable


def test_live_bars_that_were_seen_whole_are_not_missing(
    wired: Platform, market: Market, sync: Callable[..., object], holes: Holes
) -> None:
    """A partial one is: its sync is still to come."""
    sync(SyncRequest(AAPL, 20))
    market.now += DAY
    since = missing(holes, AAPL).not_synced
    new = market.bars(AAPL)[-since[0].count :]
    wired.live_bars.upsert(
        LiveBar(
            str(AAPL.symbol),
            AAPL.interval,
            time,
            time + HOUR,
            1,
            1,
            1,
            1.0,
            1.0,
            1,
            time == new[-1],
            time,
            time,
        )
        for time in new.tolist()
    )
    assert [MissingBars(int(new[-1]), int(new[-1]), 1)] == missing(holes, AAPL).not_synced


def test_without_a_trusted_calendar_holes_cannot_be_told(
    wired: Platform, sync: Callable[..., object], holes: Holes
) -> None:
    """The problem is named; a repair fetches all that one fetch can."""
    with pytest.raises(NotFound, match="was never requested"):
        holes.find(AAPL)
    assert [] == list(holes.repairs([AAPL.symbol], []))
    sync(SyncRequest(AAPL, 20))
    wired.calendars.doubt(AAPL.symbol, AAPL.interval, 1_700_000_000)
    examined = holes.find(AAPL)
    assert (None, True) == (examined.missing, "predict" in (examined.problem or ""))
    assert [SyncRequest(AAPL, 5000)] == list(holes.repairs([AAPL.symbol], []))
    wired.calendars.forget(AAPL.symbol)
    assert "no sync has seen the symbol's hours" == holes.find(AAPL).problem


def test_provenance_says_whether_bars_are_whole(
    wired: Platform, sync: Callable[..., object], holes: Holes
) -> None:
    """After a sync they are, after a loss they are not; what was missing then is not known."""
    provenances = replace(wired.provenances, holes=holes)
    sync(SyncRequest(AAPL, 3000))
    whole = provenances.of(AAPL, None, None, None)
    assert (0, True, 1) == (whole.missing_bars, whole.is_complete, len(whole.coverage))
    assert whole.calendar is not None
    assert (1, (0, None)) == (whole.calendar.version_count, whole.revised)
    start, end = whole.start + 10 * DAY, whole.end - 10 * DAY
    part = provenances.of(AAPL, start, end, None)
    assert [(start, end)] == [(each.start, each.end) for each in part.coverage]
    gone = punch(wired, AAPL, Random(7))
    found = provenances.of(AAPL, None, None, None)
    assert (len(gone), False) == (found.missing_bars, found.is_complete)
    assert None is provenances.of(AAPL, None, None, 1000 * whole.end).is_complete
