"""Platforms on markets with a fast clock, and streamers that the tests start and kill."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pymongo.errors
import pytest

from pocketquant.cache.board import QuoteBoard
from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import MINUTE, Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.servers.connections import wait_until
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.server import running
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.storage.calendars import CalendarStore
from pocketquant.storage.live_bars import LiveBarStore
from tests.resolutions import resolution_of
from tests.simulated import calendar_of, known

SCRIPT = Path(__file__).with_name("streamer_at_speed.py")
BARS = ("open", "high", "low", "close", "volume")


@dataclass
class LiveMarket:
    """A platform on a market whose clock runs fast, and the running streamers."""

    platform: Any
    simulator: Any
    clock: "Clock"
    symbols: list[str]
    environment: dict[str, str]
    grace_seconds: float
    streamers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def now(self) -> float:
        """The market's time."""
        return self.clock.now()

    def start_streamer(self) -> "subprocess.Popen[bytes]":
        """Start a streamer that no supervisor restarts."""
        command = [sys.executable, str(SCRIPT), *map(str, self.clock.arguments())]
        with (self.platform.folder / "logs" / "streamers.log").open("ab") as log:
            streamer = subprocess.Popen(
                ending_with_parent(command), env=self.environment, stdout=log, stderr=log
            )
        self.streamers.append(streamer)
        return streamer

    def start_streaming(self) -> "subprocess.Popen[bytes]":
        """Start a streamer, and wait until it streams."""
        streamer = self.start_streamer()
        self.wait_until_watched(streamer)
        return streamer

    def kill_all(self) -> None:
        """`kill -9` all streamers."""
        for streamer in self.streamers:
            streamer.kill()
            streamer.wait(10)
        self.streamers.clear()

    def subscribe(self) -> None:
        parts = ("exchange", "symbol")
        named = [dict(zip(parts, each.split(":"), strict=True)) for each in self.symbols]
        answer = self.platform.post("/api/v1/quotes/subscribe", {"symbols": named})
        assert answer.status == 200, answer.body

    def status(self) -> Any:
        """The status of the only streamer."""
        (streamer,) = self.platform.get("/api/v1/quotes/status").body["streamers"]
        return streamer

    def wait_until_watched(self, streamer: "subprocess.Popen[bytes]") -> None:
        """Wait until the streamer is connected and all symbols have quotes."""
        board = QuoteBoard(self.platform.broker)

        def is_watched() -> bool:
            status = self.status()
            is_the_one = streamer.pid == status["pid"]
            has_all = len(board.latest_of(self.symbols)) == len(self.symbols)
            return is_the_one and bool(status["connected_at"]) and has_all

        wait_until("the symbols are watched", is_watched, (ValueError, KeyError), 60)

    def wait_for(self, moment: float, patience_seconds: float = 120) -> None:
        wait_until("the market's clock", lambda: self.now() >= moment, (), patience_seconds)

    def wait_for_minutes(self, count: int) -> None:
        """Wait until `count` more minutes are closed."""
        end = Interval.M1.period_end(int(self.now())) + (count - 1) * MINUTE
        self.wait_for(end + self.grace_seconds + 10)

    def wait_until_right(self, since: float) -> None:
        """Wait until every minute of every symbol since then equals the exchange's."""
        first = Interval.M1.period_end(int(since))
        last = self.last_minute()
        wait_until(
            f"the minutes from {first} to {last} are right",
            lambda: not self.wrong(first, last),
            (),
            60,
        )

    def wait_until_stored(self, first: int, last: int) -> None:
        """Wait until the live minutes of that time are complete and equal the exchange's."""

        def is_stored(symbol: str) -> bool:
            whole = self.whole(symbol, Interval.M1).between(first, last + 1)
            return whole == self.truth(symbol, Interval.M1, first, last)

        wait_until(
            f"the minutes from {first} to {last} are stored",
            lambda: all(map(is_stored, self.symbols)),
            pymongo.errors.PyMongoError,
            60,
        )

    def last_minute(self) -> int:
        """The newest minute that must have closed by now."""
        return Interval.M1.period_start(int(self.now() - self.grace_seconds - 10)) - MINUTE

    def wrong(self, first: int, last: int) -> list[str]:
        """The symbols with minutes that differ from the exchange's."""
        return [
            each
            for each in self.symbols
            if self.answered(each, Interval.M1).between(first, last + 1)
            != self.truth(each, Interval.M1, first, last)
        ]

    def partial(self, symbol: str, interval: Interval = Interval.M1) -> list[int]:
        """Open times of the partial live bars."""
        return LiveBarStore(self.platform.mongo).partial_times(_series(symbol, interval))

    def whole(self, symbol: str, interval: Interval) -> Bars:
        """The live bars that are not partial."""
        store = LiveBarStore(self.platform.mongo)
        bars = store.read(_series(symbol, interval), None, None, 1_000_000, newest=True)
        is_whole = ~np.isin(bars.time, self.partial(symbol, interval))
        return Bars(bars.columns[:, is_whole])

    def truth(self, symbol: str, interval: Interval, first: int, last: int) -> Bars:
        """The exchange's own bars that open from `first` to `last`."""
        resolution = resolution_of(interval)
        newest = Market({}).newest(known(symbol), resolution, int(self.now()), 5000)
        return newest.bars.between(first, last + 1)

    def answered(self, symbol: str, interval: Interval) -> Bars:
        """The bars that the API returns, those of history and live ones."""
        exchange, ticker = symbol.split(":")
        path = f"/api/v1/market-data/ohlcv/{exchange}/{ticker}"
        answer = self.platform.get(path, interval=interval.value, order="asc", limit=5000)
        rows = [
            [datetime.fromisoformat(row["datetime"]).timestamp(), *(row[name] for name in BARS)]
            for row in answer.body.get("data", ())
        ]
        return Bars(np.array(rows, dtype=np.float64).reshape(-1, 6).T.copy())


@dataclass(frozen=True)
class Clock:
    """A market's time: `start` now, then `speed` times as fast as the machine's clock."""

    speed: float
    start: float
    wall_time: float = field(default_factory=time.time)

    def now(self) -> float:
        return self.start + self.speed * (time.time() - self.wall_time)

    def arguments(self) -> tuple[float, float, float]:
        """The arguments of `streamer_at_speed.py`."""
        return self.speed, self.start, self.wall_time


def keep_calendars(mongo: Any, symbols: list[str]) -> None:
    """Keep the hours of these symbols as a sync of each would."""
    calendars = CalendarStore(mongo)
    for symbol in symbols:
        calendars.keep(Symbol.parse(symbol), calendar_of(known(symbol)).texts, None, 0)


def _series(symbol: str, interval: Interval) -> Series:
    return Series(Symbol.parse(symbol), interval)


@pytest.fixture(scope="module")
def live_market(start_platform: Any) -> Iterator[Callable[..., LiveMarket]]:
    """Starts a market and a platform without a streamer, with some symbols subscribed.

    Bars wait for late ticks for `grace` seconds of ours.
    """
    with ExitStack() as ends:

        def make(
            symbols: list[str], speed: float, start: float, grace: float = 1.0, **settings: Any
        ) -> LiveMarket:
            clock = Clock(speed, start)
            simulator = ends.enter_context(
                running(pace=SimulatorPace(speed=speed, push_seconds=0.02), clock=clock.now)
            )
            platform = ends.enter_context(
                start_platform(
                    without=frozenset({"flower", "interactive", "push", "streamer"}),
                    tradingview_url=simulator.url,
                    tradingview_http_url=simulator.http_url,
                    streamer_grace_seconds=grace * speed,
                    **settings,
                )
            )
            environment = psutil.Process(platform.supervisord).environ()
            keep_calendars(platform.mongo, symbols)
            made = LiveMarket(platform, simulator, clock, symbols, environment, grace * speed)
            ends.callback(made.kill_all)
            made.subscribe()
            return made

        yield make
