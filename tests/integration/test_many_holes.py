"""Holes punched into 200 series are named and repaired, and a year of sessions has no false one.

Series are synced from the simulator over sockets. Its market, whose calendars share no code with
the product's, says which bars there are; `exchange_calendars` says which minutes have none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

import exchange_calendars
import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.coverage import Ints, Missing, MissingBars
from pocketquant.domain.intervals import DAY, HOUR, MINUTE
from pocketquant.domain.revisions import ALWAYS, Versions
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import MAX_BARS, SyncRequest, UnitState
from pocketquant.history.holes import Holes
from pocketquant.history.syncer import Syncer
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import Mongo
from pocketquant.simulator.market import world
from pocketquant.simulator.market.prices import close_time
from pocketquant.simulator.server import Simulator, running
from pocketquant.storage import chunks
from pocketquant.wiring import Platform, wire_syncer
from tests.integration.syncers import Killed, killing, lose, watched
from tests.resolutions import resolution_of
from tests.simulated import known

# The library is behind its pandas by some deprecations.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

BEGINNING = int(datetime(2026, 10, 13, 15, 34, 30, tzinfo=UTC).timestamp())
MONTH = 30 * DAY
SEED = 17
OTHERS = {"OTC:LATE", "SP:SPX", "NYSE:UNBORN", "ECONOMICS:USM2"}  # no calendar or no bars to trust
SELDOM = {"OTC:QUIET", "OTC:SELDOM"}
LONGER = ("5m", "15m", "1h", "4h", "1d")
LIBRARY = {"OTC": "XNYS"}
YEAR = (  # liquid markets of five calendars, and one in which most minutes have no trade
    *("NASDAQ:AAPL|5m", "HKEX:700|1m", "NSE:TCS|5m", "CME_MINI:ES1!|15m", "OANDA:EURUSD|15m"),
    "OTC:QUIET|1m",
)
WALKED = tuple(f"{key.partition('|')[0]}|1h" for key in YEAR)
MOMENTS = [  # of a year, and why the market is closed then, or about to be
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2025-11-27T17:00:30",  # Thanksgiving
        "2025-11-28T18:30:30",  # after New York's early close
        "2025-12-24T05:00:30",  # after Hong Kong's half day
        "2025-12-25T15:00:30",  # Christmas
        "2026-01-19T19:30:30",  # the futures' early close of a holiday
        "2026-02-18T04:30:30",  # lunch, in the week of the Lunar New Year
        "2026-03-09T13:45:30",  # the first session by New York's summer time
        "2026-04-03T12:00:30",  # Good Friday
        "2026-05-25T04:10:30",  # a holiday of Hong Kong and of New York, and lunch
        "2026-07-03T16:00:30",  # the day before Independence Day, a Saturday
        "2026-10-25T22:30:30",  # a Sunday, as currencies open
        "2026-11-10T04:59:30",  # a minute before lunch ends
    )
]


@dataclass
class Clock:
    """The time of the market and of the worker."""

    now: int = BEGINNING

    def __call__(self) -> float:
        return float(self.now)


@dataclass(frozen=True)
class Bench:
    """A platform whose worker syncs from a simulator without a limit of bars."""

    platform: Platform
    simulator: Simulator
    syncer: Syncer
    holes: Holes
    clock: Clock

    def sync(self, request: SyncRequest, syncer: Syncer | None = None) -> None:
        """Sync until the unit has ended: a long range gives its slot away after some pages."""
        unit_id = self.platform.intake.submit(request, QueueName.BULK).unit.id
        while True:
            (syncer or self.syncer).do(unit_id)
            unit = self.platform.ledger.get_unit(unit_id)
            assert unit is not None
            if unit.state is UnitState.COMPLETED:
                return
            assert UnitState.QUEUED is unit.state, unit.error

    def missing(self, series: Series) -> Missing:
        found = self.holes.find(series).missing
        assert found is not None
        return found

    def lacking(self, series: Series) -> Ints:
        """Return when the bars open that the market has since the first sync's, and we have not."""
        kept = self.platform.statuses.coverage(series)
        assert kept is not None
        traded = self.traded(series, kept.coverage.start or 0)
        return np.setdiff1d(traded, self.stored(series))

    def stored(self, series: Series) -> Ints:
        """Return when the stored bars open."""
        return self.platform.bars.read(series).time

    def traded(self, series: Series, since: int) -> Ints:
        """Return when the market's bars open that have closed."""
        symbol, resolution = known(str(series.symbol)), resolution_of(series.interval)
        count = (self.clock.now - since) // series.interval.seconds + 2
        times = self.simulator.market.newest(symbol, resolution, self.clock.now, count).bars.time
        if close_time(symbol, resolution, int(times[-1])) >= self.clock.now - symbol.delay_seconds:
            times = times[:-1]
        return times[times >= since]


@pytest.fixture
def bench(wire_with: Callable[..., Platform]) -> Iterator[Bench]:
    """A bench at the beginning."""
    clock = Clock()
    with running(clock=clock) as simulator:
        simulator.order("bar_limit", value=0)
        fast = dict.fromkeys(("provider_rate", "provider_start_rate", "provider_burst"), 10_000)
        platform = wire_with(
            tradingview_url=simulator.url, tradingview_http_url=simulator.http_url, **fast
        )
        holes = replace(platform.holes, clock=clock)
        syncer = replace(wire_syncer(platform), clock=clock)
        yield Bench(platform, simulator, syncer, holes, clock)


def chosen(random: Random) -> list[Series]:
    """Return four series of minutes, and 196 of other intervals, of all calendars."""
    symbols = [each.name for each in world.listed() if each.name not in OTHERS]
    minutes = [f"{name}|1m" for name in random.sample(symbols, 4)]
    longer = [f"{name}|{interval}" for name in symbols for interval in LONGER]
    return [Series.parse(key) for key in minutes + random.sample(longer, 196)]


def punched(mongo: Mongo, series: Series, random: Random) -> Ints:
    """Delete chunks of the series, bars of another one, or both; return when the bars opened."""
    ohlcv = mongo["ohlcv"]
    ids = [each["_id"] for each in ohlcv.find({"_id": chunks.id_range(series)}, {"_id": True})]
    random.shuffle(ids)
    deleted, thinned = ids[: random.randint(0, len(ids) // 2)], ids[-1]
    gone = [chunks.decode(each["columns"]).time for each in ohlcv.find({"_id": {"$in": deleted}})]
    ohlcv.delete_many({"_id": {"$in": deleted}})
    if not deleted or random.random() < 0.5:
        document = ohlcv.find_one({"_id": thinned})
        assert document is not None
        bars = chunks.decode(document["columns"])
        places = random.sample(range(len(bars)), -(-len(bars) // 4))
        gone.append(bars.time[places])
        rest = Bars(np.delete(bars.columns, places, axis=1))
        versions = Versions.new(rest, ALWAYS)
        damaged = chunks.encode(series, thinned, versions, None, datetime.now(UTC))
        ohlcv.replace_one({"_id": thinned}, damaged)
    return np.concatenate(gone)


def is_named(holes: list[MissingBars], times: Ints) -> bool:
    """Whether each of the times lies in one of the holes."""
    bounds = sorted((hole.first_time, hole.last_time) for hole in holes)
    firsts, lasts = np.array(bounds, dtype=np.int64).reshape(-1, 2).T
    places = np.searchsorted(firsts, times, "right") - 1
    return bool(len(times) == 0 or (places.min() >= 0 and (times <= lasts[places]).all()))


def assert_holes_are_named(bench: Bench, series: Series) -> None:
    """Each bar that the market has and we lack is named, and where all trade, no other one."""
    lacking, holes = bench.lacking(series), bench.missing(series).fillable
    assert is_named(holes, lacking), series
    named = sum(hole.count for hole in holes)
    assert named >= len(lacking) if str(series.symbol) in SELDOM else named == len(lacking), series


def test_holes_of_200_series_are_named_and_gone_after_one_repair(
    bench: Bench, mongo: Mongo, is_whole: bool
) -> None:
    """Deleted chunks and bars, then a month without a worker, then killed backfills.

    One series in four is repaired, or all with `--whole`.
    """
    random = Random(SEED)
    wanted = chosen(random)
    for series in wanted:
        bench.sync(SyncRequest(series, random.randint(300, 1500)))
    gone = {series: punched(mongo, series, random) for series in wanted}
    bench.clock.now += MONTH
    backfilled = [each for each in wanted if len(bench.lacking(each)) > MAX_BARS][:8]
    assert 8 == len(backfilled)
    killed = watched(bench.syncer, killing(1))[0]
    for series in backfilled:
        with pytest.raises(Killed):
            bench.sync(SyncRequest(series, start=bench.clock.now - MONTH - DAY), killed)
    lose(mongo)

    for series in wanted:
        assert_holes_are_named(bench, series)
        lost = np.setdiff1d(gone[series], bench.stored(series))
        assert len(lost) > 0
        assert is_named(bench.missing(series).fillable, lost), series
    repairs = [*bench.holes.repairs(dict.fromkeys(each.symbol for each in wanted), [])]
    assert sorted(map(str, wanted)) == sorted(str(each.series) for each in repairs)
    repaired = repairs if is_whole else repairs[::4]
    for repair in repaired:
        bench.sync(repair)
        assert_nothing_is_missing(bench, repair.series)
        assert np.isin(gone[repair.series], bench.stored(repair.series)).all(), repair
    again = [*bench.holes.repairs(dict.fromkeys(each.symbol for each in wanted), [])]
    assert len(again) == len(wanted) - len(repaired)


def assert_nothing_is_missing(bench: Bench, series: Series) -> None:
    assert [] == bench.lacking(series).tolist(), series
    assert [] == bench.missing(series).fillable, series


@pytest.mark.parametrize("key", YEAR)
def test_a_year_of_sessions_has_no_false_hole(bench: Bench, key: str) -> None:
    """Nor a minute without a trade, but where the exchange was open and nobody traded."""
    series = Series.parse(key)
    start = bench.clock.now - 365 * DAY
    bench.sync(SyncRequest(series, start=start))
    found, stored = bench.missing(series), bench.stored(series)
    traded = bench.traded(series, int(stored[0]))
    assert stored[0] < start + 5 * DAY
    assert traded.tolist() == stored.tolist()
    assert [] == found.fillable + found.not_served
    untraded = sum(each.count for each in found.untraded)
    if str(series.symbol) not in SELDOM:
        assert 0 == untraded
        return
    open_minutes = library_minutes(series, int(traded[0]), bench.clock.now)
    assert set(open_minutes) >= set(traded.tolist())
    assert len(open_minutes) - len(traded) == untraded > len(traded)


def library_minutes(series: Series, start: int, now: int) -> list[int]:
    """Return when each minute opens that exchange_calendars has, and that has closed."""
    calendar = exchange_calendars.get_calendar(LIBRARY[series.symbol.exchange], side="left")
    minutes = calendar.minutes_nanos // 10**9
    return minutes[(minutes >= start) & (minutes + MINUTE <= now)].tolist()


@pytest.mark.parametrize("key", WALKED)
def test_holes_are_right_at_any_hour_of_a_year(bench: Bench, key: str) -> None:
    """On holidays, after early closes, at lunch: before a small sync, and after it."""
    series = Series.parse(key)
    for moment in MOMENTS:
        bench.clock.now = int(moment.timestamp())
        if moment != MOMENTS[0]:
            assert_holes_are_named(bench, series)
        bench.sync(SyncRequest(series, 20))
        assert_nothing_is_missing(bench, series)


def test_what_is_at_risk_is_fetched_in_time(bench: Bench, mongo: Mongo) -> None:
    """Minutes of which the provider serves 5000, after almost three days without a worker."""
    series = Series.parse("BINANCE:BTCUSDT|1m")
    bench.simulator.order("bar_limit", value=5000)
    bench.sync(SyncRequest(series, 100))
    bench.clock.now += 70 * HOUR
    moment = datetime.fromtimestamp(bench.clock.now, UTC)
    guard = replace(bench.platform.guard, now=lambda: moment)
    assert 1 == guard.run()
    job = mongo["jobs"].find_one({"kind": "at-risk"})
    assert job is not None
    bench.platform.planner.plan(job["_id"])
    (unit,), _ = bench.platform.jobs.units(job["_id"], state=None, code=None, offset=0, limit=2)
    bench.syncer.do(unit.id)
    assert_nothing_is_missing(bench, series)
    assert 0 == guard.run()
