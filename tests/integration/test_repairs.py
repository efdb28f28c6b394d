"""Repairs: the syncs that a streamer requests after a gap, and the bars that they correct."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pocketquant.cache.responses import Put
from pocketquant.coordination.leases import Leases
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import History, SyncRequest
from pocketquant.history.paced_provider import PacedProvider
from pocketquant.history.syncer import Syncer
from pocketquant.live.fenced_writes import FencedBarWriter
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.fences import Fences
from pocketquant.storage.symbols import RegisteredSymbol
from pocketquant.wiring import Platform, wire_syncer
from tests.forming import ALWAYS

BITCOIN = Symbol("BINANCE", "BTCUSDT")
NOON = 1_700_049_600  # Wednesday, 2023-11-15
NOW = NOON + 61 * MINUTE

Submit = Callable[[dict[Interval, int]], list[tuple[str, int]]]


class Minutes:
    """A provider with a minute for each minute until now, whose price is its number since noon."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.requested: list[int] = []
        self._meanwhile = meanwhile

    def fetch(self, request: SyncRequest) -> History:
        self._meanwhile()
        self.requested.append(request.n_bars)
        times = np.arange(NOW - request.n_bars * MINUTE, NOW, MINUTE, dtype=float)
        prices = (times - NOON) / MINUTE + 1000
        columns = np.vstack([times, prices, prices, prices, prices, np.ones_like(times)])
        listing = Listing(request.series.symbol, description="Bitcoin")
        return History(Bars(columns), None, listing=listing, reached_at=NOW)

    def hang_up(self) -> None:
        """There is no connection to hang up."""


@pytest.fixture
def repair(wired: Platform) -> Callable[..., Minutes]:
    """Sync minutes as a worker would, from a queue; return the provider that was called."""

    wired.calendars.keep(BITCOIN, ALWAYS.texts, None, NOON)

    def do(queue: QueueName = QueueName.REPAIR, n_bars: int = 10, **more: Any) -> Minutes:
        provider = Minutes(**more)
        request = SyncRequest(series(Interval.M1), n_bars)
        syncer_on(wired, provider).do(wired.intake.submit(request, queue).unit.id)
        return provider

    return do


@pytest.fixture
def submit(wired: Platform) -> Submit:
    """Submit the due repairs of the symbol as a streamer does; return their syncs."""

    def do(due: dict[Interval, int]) -> list[tuple[str, int]]:
        leases = Leases(wired.cache, 60)
        lease = leases.acquire("streamer:1-of-1")
        assert lease
        storage = FencedBarWriter(
            lease,
            Fences(wired.mongo),
            wired.live_bars,
            wired.responses,
            wired.symbols,
            wired.intake,
            wired.reports,
            lambda: float(NOW),
        )
        storage.submit({series(interval): since for interval, since in due.items()})
        leases.release(lease)
        for job in wired.mongo["jobs"].find({"open": True}):
            assert (QueueName.REPAIR, "repair") == (job["queue"], job["kind"])
            wired.planner.plan(job["_id"])
        units = wired.mongo["units"].find().sort("_id")
        return [(unit["series"].partition("|")[2], unit["n_bars"]) for unit in units]

    return do


def series(interval: Interval) -> Series:
    return Series(BITCOIN, interval)


def syncer_on(wired: Platform, provider: Minutes) -> Syncer:
    paced = PacedProvider(provider, wired.governor, wired.settings.turn_seconds)
    return replace(wire_syncer(wired), provider=paced, clock=lambda: float(NOW))


def live(interval: Interval, start: int, price: float = 1.0, is_partial: bool = False) -> LiveBar:
    prices = (price, price, price, price)
    end = start + interval.seconds
    return LiveBar(str(BITCOIN), interval, start, end, *prices, 1.0, 1, is_partial, start, start)


def registered(wired: Platform) -> RegisteredSymbol:
    found = wired.symbols.get(BITCOIN)
    assert found
    return found


def shown(wired: Platform, interval: Interval) -> list[tuple[int, float]]:
    """Live bars as minutes since noon, and their closes."""
    bars = wired.live_bars.read(series(interval), None, None, None, True)
    times = ((bars.time - NOON) // MINUTE).tolist()
    return list(zip(times, bars.close.tolist(), strict=True))


def test_all_intraday_series_of_a_gap_are_one_sync_of_minutes(submit: Submit) -> None:
    """It reaches back as far as the longest touched bar, whatever is tracked."""
    due = {Interval.M1: NOON + HOUR, Interval.M15: NOON + HOUR, Interval.H4: NOON + HOUR}
    assert [("1m", 63)] == submit(due)


def test_days_are_repaired_where_they_are_tracked(wired: Platform, submit: Submit) -> None:
    """Minutes cannot repair them, and untracked ones were not requested."""
    assert [] == submit({Interval.D1: NOON - DAY, Interval.W1: NOON - DAY})
    wired.symbols.register(Listing(BITCOIN), Interval.W1, NOW)
    assert [("1w", 10)] == submit({Interval.D1: NOON - DAY, Interval.W1: NOON - DAY})


def test_a_repair_tracks_nothing(wired: Platform, repair: Callable[..., Minutes]) -> None:
    """The symbol is known then, but schedules ignore the series."""
    repair()
    assert (True, ()) == (registered(wired).active, registered(wired).intervals)
    assert [] == list(wired.symbols.tracked(()))
    repair(QueueName.SCHEDULED)
    assert (Interval.M1,) == registered(wired).intervals


def test_a_sync_that_joins_a_repair_is_tracked(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """A user requested the series during its repair."""

    def join() -> None:
        wired.intake.submit(SyncRequest(series(Interval.M1), 10), QueueName.INTERACTIVE)
        urgent = {"$set": {"queue": QueueName.INTERACTIVE}}
        wired.mongo["units"].update_one({"active": True}, urgent)

    repair(meanwhile=join)
    assert (Interval.M1,) == registered(wired).intervals


def test_minutes_repair_longer_live_bars(wired: Platform, repair: Callable[..., Minutes]) -> None:
    """Partial and missing ones are made; complete ones, and those without all minutes, stay."""
    wired.live_bars.upsert(
        [
            live(Interval.M15, NOON, is_partial=True),
            live(Interval.M15, NOON + 15 * MINUTE),
            live(Interval.M15, NOON + 45 * MINUTE, is_partial=True),
            live(Interval.H4, NOON, is_partial=True),
        ]
    )
    token = wired.responses.begin(series(Interval.M15))
    assert [10, 65] == repair().requested
    assert [(0, 1014.0), (15, 1.0), (30, 1044.0), (45, 1059.0)] == shown(wired, Interval.M15)
    assert [] == wired.live_bars.partial_times(series(Interval.M15))
    assert wired.responses.put(series(Interval.M15), "query", token, b"older") is Put.OUTDATED
    assert [(0, 1.0)] == shown(wired, Interval.H4)
    assert [NOON] == wired.live_bars.partial_times(series(Interval.H4))
    assert [] == shown(wired, Interval.H1)


def test_live_bars_of_history_s_time_are_not_made_again(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """Live bars begin at the end of history."""
    history = Bars(np.array([[NOON + 15.0 * MINUTE]] + [[1.0]] * 5))
    wired.bars.upsert({series(Interval.M15): history})
    wired.live_bars.upsert([live(Interval.M15, NOON + 45 * MINUTE, is_partial=True)])
    repair(n_bars=120)
    assert [(30, 1044.0), (45, 1059.0)] == shown(wired, Interval.M15)


def test_minutes_of_an_unwatched_symbol_make_no_live_bar(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """There is no live bar to repair."""
    assert [120] == repair(n_bars=120).requested
    assert 0 == wired.mongo["ohlcv_live"].count_documents({})


def test_a_bar_too_old_for_minutes_does_not_make_every_repair_long(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """A sync of its own series would repair it."""
    wired.live_bars.upsert([live(Interval.H4, NOON - 20 * DAY, is_partial=True)])
    assert [10] == repair().requested


def test_live_bars_of_an_older_calendar_are_removed(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """The bars of its time are made by the calendar that holds; intervals in doubt are left."""
    wired.calendars.keep(BITCOIN, CalendarTexts("Etc/UTC", "1210-1300:1234567"), None, NOON)
    wired.calendars.doubt(BITCOIN, Interval.M5, NOON)
    for interval in (Interval.M5, Interval.M30):
        wired.live_bars.upsert(
            [live(interval, NOON), live(interval, NOON + 30 * MINUTE, 2.0, True)]
        )
    repair(n_bars=120)
    assert [(10, 1039.0), (40, 1059.0)] == shown(wired, Interval.M30)
    assert [] == wired.live_bars.partial_times(series(Interval.M30))
    assert [(0, 1.0), (30, 2.0)] == shown(wired, Interval.M5)


def test_without_a_calendar_no_longer_bar_is_made(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """It would be a guess."""
    wired.calendars.forget(BITCOIN)
    wired.live_bars.upsert([live(Interval.M15, NOON, is_partial=True)])
    repair(n_bars=120)
    assert [(0, 1.0)] == shown(wired, Interval.M15)
