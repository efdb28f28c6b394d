"""A simulator in its own process, whose quotes contain their time of sending.

`python -m tests.benchmarks.live_feed PORT HTTP_PORT SYMBOLS QUOTES_PER_SECOND` serves until it is
ended; 0 quotes a second means as fast as they are read.

The quotes are those of the simulated market, except for two fields: the time of a trade is that of
sending it, and the day's volume begins with the number of its text.
"""

import re
import signal
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.server import running
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.simulator.wire.tapes import Tape, record
from pocketquant.tradingview import frames
from pocketquant.tradingview.messages import QUOTE_FIELDS

QUOTES_A_TEXT = 50
QUOTES_A_SYMBOL = 20  # on average, until the tape begins again
FIRST_NUMBER = 1_000_000  # so that all have as many digits

_NOON = 1_763_467_200  # of the market the quotes are taken from
_FLEET = 9_999
_NUMBER, _SECOND = "@number", "@second___"  # as long as what replaces them
_VOLUME_FIELD = re.compile(r'"volume":[0-9.e+-]+')
_TIME_FIELD = re.compile(r'"lp_time":[0-9]{10}(?![0-9.])')
_NAME_FIELD = re.compile(r'"n":"([^"]+)"')


@dataclass(frozen=True, slots=True, eq=False)
class StampedTape(Tape):
    """An endless tape whose quotes get their volumes and times as they are sent."""

    def timed(self, session: str) -> Iterator[tuple[float, str]]:
        texts = [text for _, text in super(StampedTape, self).timed(session)]
        gap = self.gap_seconds
        for number in count():
            stamped = texts[number % len(texts)].replace(_NUMBER, str(FIRST_NUMBER + number))
            yield number * gap, stamped.replace(_SECOND, str(int(time.time())))

    @property
    def gap_seconds(self) -> float:
        """The seconds between two texts."""
        return self.quotes_each / self.quotes_per_second if self.quotes_per_second else 0.0


class Numbers:
    """Which texts of a tape contain a trade of a symbol."""

    def __init__(self, tape: StampedTape) -> None:
        self._lap = len(tape.texts)
        self._numbers: defaultdict[str, list[int]] = defaultdict(list)
        for number, text in enumerate(tape.texts):
            for payload in frames.FrameDecoder().feed(text):
                name = _NAME_FIELD.search(payload)
                if _NUMBER in payload and name:
                    self._numbers[name[1]].append(number)

    def between(self, symbol: str, after: int, until: int) -> list[int]:
        """The numbers of the symbol's texts after one number and up to another."""
        numbers = self._numbers[symbol]
        found = []
        for lap in range((after + 1) // self._lap, until // self._lap + 1):
            start = lap * self._lap
            first, last = (
                bisect_left(numbers, after + 1 - start),
                bisect_right(numbers, until - start),
            )
            found += [start + number for number in numbers[first:last]]
        return found


def names(symbols: int) -> list[str]:
    """This many symbols; the simulator's fleet has one less than the most that is requested."""
    fleet = [f"SIM:S{number:04}" for number in range(1, min(symbols, _FLEET) + 1)]
    return fleet if symbols <= _FLEET else [*fleet, "BINANCE:BTCUSDT"]


def stamped_tape(symbols: int, quotes_per_second: float | None) -> StampedTape:
    """The tape, equal in every process that makes it."""
    made = record(Market({}), names(symbols), _NOON, symbols * QUOTES_A_SYMBOL, QUOTE_FIELDS)
    payloads = frames.FrameDecoder().feed("".join(made.texts))
    stamped = [frames.encode(_with_marks(payload)) for payload in payloads]
    texts = [
        "".join(stamped[number : number + QUOTES_A_TEXT])
        for number in range(0, len(stamped), QUOTES_A_TEXT)
    ]
    return StampedTape(texts, QUOTES_A_TEXT, made.until, quotes_per_second)


def number_of(day_volume: float) -> int | None:
    """The number of the text with this volume; None for one from before the tape."""
    return int(day_volume) - FIRST_NUMBER if day_volume >= FIRST_NUMBER else None


def _with_marks(payload: str) -> str:
    """Add a part of a unit to volumes, so that they are decimals as those of most pairs."""
    marked = _VOLUME_FIELD.sub(f'"volume":{_NUMBER}.5', payload)
    return _TIME_FIELD.sub(f'"lp_time":{_SECOND}', marked)


def main(arguments: Sequence[str]) -> None:
    port, http_port, symbols = map(int, arguments[:3])
    pace = SimulatorPace(tape=stamped_tape(symbols, float(arguments[3]) or None))
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with running(port, http_port, pace=pace):
        ended.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
