"""Repairs: what a streamer asks for after a gap, and what the sync of the minutes makes right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pocketquant.cache.responses import Put
from pocketquant.coordination.leases import Leases
from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Listing, Series, Symbol
from pocketquant.domain.syncs import History, SyncRequest
from pocketquant.history.paced_provider import PacedProvider
from pocketquant.history.syncer import Syncer
from pocketquant.live.fenced_writes import FencedBarWriter
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.fences import Fences
from pocketquant.storage.symbols import RegisteredSymbol
from pocketquant.wiring import Platform, wire_syncer

BITCOIN = Symbol("BINANCE", "BTCUSDT")
NOON = 1_700_049_600  # Wednesday, 2023-11-15
NOW = NOON + 61 * MINUTE

Submit = Callable[[dict[Interval, int]], list[tuple[str, int]]]


class Minutes:
    """A minute for each minute up to now, whose price is its number since noon."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.asked: list[int] = []
        self._meanwhile = meanwhile

    def fetch(self, request: SyncRequest) -> History:
        self._meanwhile()
        self.asked.append(request.n_bars)
        times = np.arange(NOW - request.n_bars * MINUTE, NOW, MINUTE, dtype=float)
        prices = (times - NOON) / MINUTE + 1000
        columns = np.vstack([times, prices, prices, prices, prices, np.ones_like(times)])
        listing = Listing(request.series.symbol, description="Bitcoin")
        return History(Bars(columns), None, listing=listing, reached_at=NOW)

    def hang_up(self) -> None:
        """Nothing hangs."""


@pytest.fixture
def repair(wired: Platform) -> Callable[..., Minutes]:
    """Does a sync of minutes as a worker would, on a queue; the provider that it asked."""

    def do(queue: QueueName = QueueName.REPAIR, n_bars: int = 10, **more: Any) -> Minutes:
        provider = Minutes(**more)
        request = SyncRequest(series(Interval.M1), n_bars)
        syncer_on(wired, provider).do(wired.intake.submit(request, queue).unit.id)
        return provider

    return do


@pytest.fixture
def submit(wired: Platform) -> Submit:
    """Submits what is due of the symbol, as a streamer does; the syncs that it comes to."""

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
    """As far back as the longest bar that it touched, whatever is tracked."""
    due = {Interval.M1: NOON + HOUR, Interval.M15: NOON + HOUR, Interval.H4: NOON + HOUR}
    assert [("1m", 63)] == submit(due)


def test_days_are_repaired_where_they_are_tracked(wired: Platform, submit: Submit) -> None:
    """Nobody has asked for the others, and minutes make no days."""
    assert [] == submit({Interval.D1: NOON - DAY, Interval.W1: NOON - DAY})
    wired.symbols.register(Listing(BITCOIN), Interval.W1, NOW)
    assert [("1w", 10)] == submit({Interval.D1: NOON - DAY, Interval.W1: NOON - DAY})


def test_a_repair_tracks_nothing(wired: Platform, repair: Callable[..., Minutes]) -> None:
    """The symbol is known then, and schedules leave the series alone."""
    repair()
    assert (True, ()) == (registered(wired).active, registered(wired).intervals)
    assert [] == list(wired.symbols.tracked(()))
    repair(QueueName.SCHEDULED)
    assert (Interval.M1,) == registered(wired).intervals


def test_a_sync_that_joins_a_repair_is_tracked(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """Somebody asked for the series after all, while it was repaired."""

    def join() -> None:
        wired.intake.submit(SyncRequest(series(Interval.M1), 10), QueueName.INTERACTIVE)
        urgent = {"$set": {"queue": QueueName.INTERACTIVE}}
        wired.mongo["units"].update_one({"active": True}, urgent)

    repair(meanwhile=join)
    assert (Interval.M1,) == registered(wired).intervals


def test_minutes_make_longer_live_bars_right(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """Partial and missing ones; whole ones stay, and those that the minutes do not tell wholly."""
    wired.live_bars.upsert(
        [
            live(Interval.M15, NOON, is_partial=True),
            live(Interval.M15, NOON + 15 * MINUTE),
            live(Interval.M15, NOON + 45 * MINUTE, is_partial=True),
            live(Interval.H4, NOON, is_partial=True),
        ]
    )
    token = wired.responses.begin(series(Interval.M15))
    assert [10, 65] == repair().asked
    assert [(0, 1014.0), (15, 1.0), (30, 1044.0), (45, 1059.0)] == shown(wired, Interval.M15)
    assert [] == wired.live_bars.partial_times(series(Interval.M15))
    assert wired.responses.put(series(Interval.M15), "query", token, b"older") is Put.OUTDATED
    assert [(0, 1.0)] == shown(wired, Interval.H4)
    assert [NOON] == wired.live_bars.partial_times(series(Interval.H4))
    assert [] == shown(wired, Interval.H1)


def test_what_history_has_is_not_made_again(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """Live bars extend history, and begin at its end."""
    history = Bars(np.array([[NOON + 15.0 * MINUTE]] + [[1.0]] * 5))
    wired.bars.upsert({series(Interval.M15): history})
    wired.live_bars.upsert([live(Interval.M15, NOON + 45 * MINUTE, is_partial=True)])
    repair(n_bars=120)
    assert [(30, 1044.0), (45, 1059.0)] == shown(wired, Interval.M15)


def test_minutes_of_a_symbol_that_nobody_watches_make_nothing(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """There is no live bar to mend."""
    assert [120] == repair(n_bars=120).asked
    assert 0 == wired.mongo["ohlcv_live"].count_documents({})


def test_a_bar_too_old_for_minutes_does_not_make_every_repair_long(
    wired: Platform, repair: Callable[..., Minutes]
) -> None:
    """A sync of its own series would mend it."""
    wired.live_bars.upsert([live(Interval.H4, NOON - 20 * DAY, is_partial=True)])
    assert [10] == repair().asked
