"""Runs the whole simulator: its WebSocket server and its website."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.simulator.market.bad_prints import BadPrint
from pocketquant.simulator.market.dividends import Dividend
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.market.splits import Split
from pocketquant.simulator.sockets import SimulatorPace, Sockets
from pocketquant.simulator.website import serving_website
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.tally import Tally

HOST = "127.0.0.1"

_CAPTURED = "captured_spx_daily.json"
_AT_ONCE = SimulatorPace()


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator: its URLs, market, ordered faults and counts."""

    url: str
    http_url: str
    market: Market
    faults: Faults
    tally: Tally
    sockets: Sockets

    def hang_up(self) -> None:
        """Close all connections of clients, as a server that restarts does."""
        self.sockets.hang_up()

    def order(
        self,
        kind: str,
        symbol: str | None = None,
        value: str | float | None = None,
        times: int | None = None,
    ) -> None:
        """Order a fault for one symbol or all, `times` times or until it is lifted."""
        self.faults.order(Fault(FaultKind(kind), symbol, value, times))

    def split(
        self,
        symbol: str,
        time: int,
        ratio: float,
        adjusted_at: int | None = None,
        undone_at: int | None = None,
    ) -> None:
        """Split a symbol at `time`, by default with its history adjusted at the same moment."""
        at = time if adjusted_at is None else adjusted_at
        self.market.split(symbol, Split(time, ratio, at, undone_at))

    def pay(
        self,
        symbol: str,
        ex_time: int,
        amount: float,
        announced_at: int = 0,
        adjusted_at: int | None = None,
    ) -> None:
        """Pay a dividend; by default it was always announced and is adjusted at `ex_time`."""
        at = ex_time if adjusted_at is None else adjusted_at
        self.market.dividend(symbol, Dividend(ex_time, amount, announced_at, at))

    def misprint(self, symbol: str, time: int, price: float, corrected_at: int) -> None:
        """Show a trade for a wrong price until it is corrected."""
        self.market.bad_print(symbol, BadPrint(time, price, corrected_at))

    def lift(self, kind: str | None = None, symbol: str | None = None) -> None:
        """Cancel the faults of this kind (all kinds) for this symbol (every symbol)."""
        self.faults.lift(FaultKind(kind) if kind else None, symbol)


@contextmanager
def running(
    port: int = 0,
    http_port: int = 0,
    faults: Iterable[Fault] = (),
    pace: SimulatorPace = _AT_ONCE,
    clock: Callable[[], float] = time.time,
    host: str = HOST,
) -> Iterator[Simulator]:
    """Run a simulator in threads of this process for a `with` block; port 0 picks a free one."""
    market = Market({"SP:SPX": _captured()})
    ordered, tally = Faults(), Tally()
    for fault in faults:
        ordered.order(fault)
    sockets = Sockets(market, ordered, tally, pace, clock)
    with (
        serving_website(host, http_port, ordered, tally, clock) as http_url,
        sockets.serving(host, port) as url,
    ):
        yield Simulator(url, http_url, market, ordered, tally, sockets)


def _captured() -> Bars:
    """Return daily bars that were captured from the real server."""
    rows = json.loads(resources.files(__package__).joinpath(_CAPTURED).read_text())
    return Bars(np.array(rows, dtype=np.float64).T)
