"""A streamer in this process on real servers, and a market with a faster clock."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import numpy as np
import pytest
import redis

from pocketquant.cache.board_records import StreamerStatus
from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.servers.connections import wait_until
from pocketquant.simulator import server as simulator_server
from pocketquant.simulator.clocks import market_clock
from pocketquant.simulator.market.world import find
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.wiring import Platform, wire_syncer
from tests.forming import ALWAYS
from tests.resolutions import resolution_of
from workers.streamer.main import Streamer

MIDNIGHT = 1_763_424_000  # Tuesday, 2025-11-18, by the market's clock
MOST_BARS = 1_000_000


@dataclass
class Live:
    """A simulated market, a platform on it, and the running streamers."""

    platform: Platform
    simulator: simulator_server.Simulator
    clock: Callable[[], float]
    threads: list[tuple[Streamer, Thread]] = field(default_factory=list)

    def start(self, clock: Callable[[], float] | None = None) -> Streamer:
        """Start one more streamer; `clock` is that of its machine."""
        streamer = Streamer(self.platform, clock or self.clock, steady=self.clock)
        thread = Thread(target=streamer.run, daemon=True)
        thread.start()
        self.threads.append((streamer, thread))
        return streamer

    def stop(self) -> None:
        """End all streamers, and wait for them."""
        for streamer, _ in self.threads:
            streamer.end()
        for _, thread in self.threads:
            thread.join(10)
        assert not any(thread.is_alive() for _, thread in self.threads)
        self.threads.clear()

    def subscribe(self, symbols: Sequence[str]) -> None:
        parsed = [Symbol.parse(symbol) for symbol in symbols]
        for symbol in parsed:
            self.platform.calendars.keep(symbol, ALWAYS.texts, None, int(self.clock()))
        self.platform.watching.subscribe(parsed)

    def wait_until_quoted(self, symbols: Sequence[str]) -> None:
        """Wait until each symbol has a live quote."""
        board = self.platform.board
        wait_until(
            "all symbols have quotes",
            lambda: len(board.latest_of(symbols)) == len(symbols),
            redis.RedisError,
            60,
        )

    def wait_for(self, moment: float, timeout_seconds: float = 120) -> None:
        """Wait until the market's clock reaches the moment."""
        wait_until("the market's clock", lambda: self.clock() >= moment, (), timeout_seconds)

    def wait_for_bar(self, symbol: str, time: int, timeout_seconds: float = 30) -> None:
        """Wait until the live minute that opens at `time` is stored."""
        wait_until(
            f"the minute {time} of {symbol} is stored",
            lambda: time in self.bars(symbol, Interval.M1).time,
            (),
            timeout_seconds,
        )

    def wait_for_the_end(self, interval: Interval) -> None:
        """Wait until the current bar of the interval has ended and its repairs are submitted."""
        end = interval.period_end(int(self.clock()))
        self.wait_for(end + self.platform.settings.streamer_grace_seconds + 15)

    def wait_for_a_minute(self, symbol: str) -> None:
        """Wait until a complete minute is stored."""
        wait_until(
            f"a whole minute of {symbol} is stored",
            lambda: len(self.whole(symbol, Interval.M1)) > 0,
            (),
            60,
        )

    def status(self) -> StreamerStatus:
        """The status of the only streamer."""
        (status,) = self.platform.board.statuses()
        return status

    def bars(self, symbol: str, interval: Interval) -> Bars:
        """The stored live bars."""
        return self.platform.live_bars.read(_series(symbol, interval), None, None, MOST_BARS, True)

    def partial(self, symbol: str, interval: Interval) -> list[int]:
        """Open times of the partial live bars."""
        return self.platform.live_bars.partial_times(_series(symbol, interval))

    def whole(self, symbol: str, interval: Interval) -> Bars:
        """The live bars that are not partial."""
        bars = self.bars(symbol, interval)
        is_whole = ~np.isin(bars.time, self.partial(symbol, interval))
        return Bars(bars.columns[:, is_whole])

    def history(self, symbol: str, interval: Interval, like: Bars) -> Bars:
        """The exchange's own bars of the time that the given bars cover."""
        if like.first_time is None or like.last_time is None:
            return Bars.empty()
        return self.history_between(symbol, interval, like.first_time, like.last_time)

    def history_between(self, symbol: str, interval: Interval, first: int, last: int) -> Bars:
        """The exchange's own bars that open from `first` to `last`."""
        instrument, resolution = find(symbol), resolution_of(interval)
        assert instrument
        newest = self.simulator.market.newest(instrument, resolution, int(self.clock()), 5000)
        return newest.bars.between(first, last + 1)

    def differing(self, symbols: Sequence[str], intervals: Sequence[Interval]) -> list[str]:
        """The series whose complete live bars differ from the exchange's own."""
        return [
            f"{symbol}|{interval.value}"
            for symbol in symbols
            for interval in intervals
            if not self._is_equal(symbol, interval)
        ]

    def wrong_answers(self, symbols: Sequence[str], intervals: Sequence[Interval]) -> list[str]:
        """The series whose joined history and live bars differ from the exchange's own."""
        return [
            f"{symbol}|{interval.value}"
            for symbol in symbols
            for interval in intervals
            if not self._is_answered_right(symbol, interval)
        ]

    def do_all_syncs(self) -> int:
        """Do all units of the ledger as workers would; return how many jobs were repairs."""
        syncer = wire_syncer(self.platform)
        jobs, _ = self.platform.jobs.page(None, None, None, 0, 1000)
        for job in jobs:
            self.platform.planner.plan(job.id)
            for unit in self.platform.mongo["units"].find({"jobs": job.id, "state": "queued"}):
                syncer.do(unit["_id"])
        syncer.provider.hang_up()
        return sum(job.kind == "repair" for job in jobs)

    def _is_equal(self, symbol: str, interval: Interval) -> bool:
        whole = self.whole(symbol, interval)
        history = self.history(symbol, interval, whole)
        same_times = np.isin(history.time, whole.time)
        return whole == Bars(history.columns[:, same_times])

    def _is_answered_right(self, symbol: str, interval: Interval) -> bool:
        series = _series(symbol, interval)
        history = self.platform.bars.read(series)
        end = None if history.last_time is None else history.last_time + 1
        answer = concatenate([history, self.bars(symbol, interval).between(end, None)])
        return len(answer) > 0 and answer == self.history(symbol, interval, answer)


def _series(symbol: str, interval: Interval) -> Series:
    return Series(Symbol.parse(symbol), interval)


@pytest.fixture
def live_with(wire_with: Callable[..., Platform]) -> Iterator[Callable[..., Live]]:
    """Starts a market with its own start time and speed, and a platform on it."""
    with ExitStack() as ends:

        def make(speed: float = 30.0, start: float = MIDNIGHT - 600, **settings: Any) -> Live:
            clock = market_clock(speed, start)
            simulator = ends.enter_context(
                simulator_server.running(
                    pace=SimulatorPace(speed=speed, push_seconds=0.02), clock=clock
                )
            )
            platform = wire_with(
                tradingview_url=simulator.url,
                tradingview_http_url=simulator.http_url,
                # a second, of the clock on the wall
                **{"streamer_grace_seconds": speed} | settings,
            )
            live = Live(platform, simulator, clock)
            ends.callback(live.stop)
            return live

        yield make
