"""Bars of ticks beside nautilus_trader's TimeBarAggregator.

A tape is a random walk in cents with whole sizes: a number of ticks a minute of each symbol, in
order of time. Nautilus builds nine intervals with one aggregator each, on its clock for tests; ours
builds all 13, by 40 different calendars. Both clocks move each second. Both receive ready ticks of
their own types, and their minute bars of one tape must be equal. Peers get the tape of ten symbols,
where they are fastest. They take turns, in an order that is reversed each round.

Figures are those of the best round, by the CPU time of this process on one core: other processes
can only slow it down, through shared caches.
"""

import gc
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from itertools import cycle, groupby
from random import Random
from typing import Any

from nautilus_trader.common.component import TestClock
from nautilus_trader.data.aggregation import TimeBarAggregator
from nautilus_trader.model.data import BarType, TradeTick
from nautilus_trader.model.enums import AggressorSide
from nautilus_trader.model.identifiers import TradeId
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider

from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.quotes import Tick, Volume
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

ROUNDS = sized(7, 1)
FEW, MANY, MOST = sized((10, 1_000, 10_000), (2, 3, 4))  # symbols
MINUTES = sized({FEW: 600, MANY: 8, MOST: 3}, dict.fromkeys((FEW, MANY, MOST), 3))
WARM_UP_SECONDS = 61  # until the first minute is closed
TICKS_A_MINUTE = 60  # of each symbol, round robin
FEW_TICKS = 8
MIDNIGHT = 1_700_006_400
NANOSECONDS = 1_000_000_000
PEER_INTERVALS = (
    "1-MINUTE",
    "3-MINUTE",
    "5-MINUTE",
    "15-MINUTE",
    "30-MINUTE",
    "1-HOUR",
    "2-HOUR",
    "4-HOUR",
    "1-DAY",
)

CALENDARS = [  # overnight sessions, in which all of a tape lies
    parse_calendar(CalendarTexts("America/Chicago", f"17{number:02}-16{number:02}"))
    for number in range(40)
]

Seconds = list[list[Tick]]  # ticks by the second


def run() -> list[Row]:
    """Ticks a second."""
    peer = tape(FEW, minutes=sized(150, 3))
    sparse = tape(sized(100, 2), minutes=sized(60, 3), ticks_a_minute=FEW_TICKS)
    assert minutes_of_ours(peer) == minutes_of_nautilus(peer)
    tapes = {symbols: tape(symbols, minutes) for symbols, minutes in MINUTES.items()}
    rates = take_turns(
        {
            "nautilus": partial(nautilus, peer),
            "nautilus, few ticks": partial(nautilus, sparse),
            "few ticks": partial(ours, sparse),
            "1m": partial(ours, tapes[FEW], (Interval.M1,)),
            "decimals": partial(
                ours, tape(FEW, MINUTES[FEW], size=lambda lots: Decimal(lots) / 100)
            ),
            **{f"{number}": partial(ours, each) for number, each in tapes.items()},
        }
    )

    def row(name: str, mine: str, other: str, target: str = "") -> Row:
        return Row(name, rates[mine], rates[other], "ticks/s", target)

    return [
        *(row(f"{each:,} symbols / nautilus", f"{each}", "nautilus", "≥ 6") for each in tapes),
        row("sizes with decimals / nautilus", "decimals", "nautilus"),
        row(f"{FEW_TICKS} ticks a minute / nautilus", "few ticks", "nautilus, few ticks"),
        row("13 intervals / 1m alone", f"{FEW}", "1m"),
        row(f"{MOST:,} / {FEW} symbols", f"{MOST}", f"{FEW}", "≥ 0.67"),
    ]


def tape(
    symbols: int,
    minutes: int,
    ticks_a_minute: int = TICKS_A_MINUTE,
    size: Callable[[int], Volume] = int,
) -> Seconds:
    """Ticks of the symbols in turn, in whole seconds, until the last minute is closed."""
    chance = Random(symbols)
    names = [f"SIM:S{number:05}" for number in range(symbols)]
    cents = [10_000] * symbols
    made = []
    for number in range(symbols * ticks_a_minute * minutes + symbols):
        symbol = number % symbols
        cents[symbol] += chance.randint(-3, 3)
        moment = MIDNIGHT + number * 60 // (symbols * ticks_a_minute)
        made.append(Tick(names[symbol], moment, cents[symbol] / 100, size(chance.randint(1, 999))))
    return [list(each) for _, each in groupby(made, key=lambda tick: tick.time)]


def take_turns(contenders: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The best rate of each."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(ROUNDS):
        for name in list(contenders) if number % 2 else reversed(contenders):
            rates[name].append(contenders[name]())
    return {name: max(each) for name, each in rates.items()}


def ours(seconds: Seconds, intervals: tuple[Interval, ...] = tuple(Interval)) -> float:
    aggregator = aggregator_for(seconds, intervals)

    def build(part: Seconds) -> int:
        closed = 0
        for ticks in part:
            aggregator.take(ticks)
            closed += len(aggregator.advance(ticks[-1].time))
        return closed

    return rate(seconds, build)


def nautilus(seconds: Seconds) -> float:
    closed: list[object] = []
    clock, aggregators = peers(seconds, PEER_INTERVALS, closed.append)
    ready = {id(second): list(trades(second, aggregators)) for second in seconds}

    def build(part: Seconds) -> int:
        for ticks in part:
            move_on(clock, ticks[0].time)
            for trade, handlers in ready[id(ticks)]:
                for handle in handlers:
                    handle(trade)
        return len(closed)

    return rate(seconds, build)


def rate(seconds: Seconds, build: Callable[[Seconds], int]) -> float:
    """Ticks a second of CPU time after a warm-up. The collector ignores older objects."""
    warm_up = sum(ticks[0].time < MIDNIGHT + WARM_UP_SECONDS for ticks in seconds)
    build(seconds[:warm_up])
    gc.collect()
    gc.freeze()
    began = time.process_time()
    assert build(seconds[warm_up:])
    spent = time.process_time() - began
    gc.unfreeze()
    return sum(map(len, seconds[warm_up:])) / spent


def aggregator_for(seconds: Seconds, intervals: tuple[Interval, ...]) -> BarAggregator:
    aggregator = BarAggregator(intervals, grace_seconds=0)
    for name, calendar in zip(names_in(seconds), cycle(CALENDARS), strict=False):
        aggregator.learn(name, calendar, MIDNIGHT)
        aggregator.see(name, MIDNIGHT)
    return aggregator


def names_in(seconds: Seconds) -> list[str]:
    return sorted({tick.symbol for second in seconds for tick in second})


Handlers = list[Callable[[TradeTick], None]]


def peers(
    seconds: Seconds, intervals: tuple[str, ...], handle: Callable[[object], None]
) -> tuple[TestClock, dict[str, tuple[Instrument, Handlers]]]:
    """A clock, and the aggregators of each symbol."""
    clock = TestClock()
    clock.set_time(MIDNIGHT * NANOSECONDS)
    aggregators = {}
    for name in names_in(seconds):
        instrument = TestInstrumentProvider.equity(symbol=name.partition(":")[2], venue="SIM")
        made = []
        for interval in intervals:
            bar_type = BarType.from_str(f"{instrument.id}-{interval}-LAST-INTERNAL")
            aggregator = TimeBarAggregator(
                instrument, bar_type, handle, clock, build_with_no_updates=False
            )
            made.append(aggregator.handle_trade_tick)
        aggregators[name] = (instrument, made)
    return clock, aggregators


def trades(
    ticks: list[Tick], aggregators: dict[str, tuple[Instrument, Handlers]]
) -> Iterator[tuple[TradeTick, Handlers]]:
    """The ticks as nautilus has them, each with its aggregators."""
    for number, tick in enumerate(ticks):
        instrument, handlers = aggregators[tick.symbol]
        moment = tick.time * NANOSECONDS
        yield (
            TradeTick(
                instrument.id,
                Price(tick.price, 2),
                Quantity(float(tick.size or 0), 0),
                AggressorSide.BUYER,
                TradeId(str(number)),
                moment,
                moment,
            ),
            handlers,
        )


def move_on(clock: TestClock, now: int) -> None:
    for event in clock.advance_time(now * NANOSECONDS):
        event.handle()


def minutes_of_ours(seconds: Seconds) -> list[tuple[float, ...]]:
    aggregator = aggregator_for(seconds, (Interval.M1,))
    closed = []
    for ticks in seconds:
        aggregator.take(ticks)
        closed += aggregator.advance(ticks[-1].time)
    return sorted((bar.end, *bar[4:8], float(bar.volume or 0)) for bar in closed)


def minutes_of_nautilus(seconds: Seconds) -> list[tuple[float, ...]]:
    closed: list[Any] = []
    clock, aggregators = peers(seconds, PEER_INTERVALS[:1], closed.append)
    for ticks in seconds:
        move_on(clock, ticks[0].time)
        for trade, handlers in trades(ticks, aggregators):
            for handle in handlers:
                handle(trade)
    return sorted(
        (
            bar.ts_event // NANOSECONDS,
            *map(float, (bar.open, bar.high, bar.low, bar.close, bar.volume)),
        )
        for bar in closed
    )
