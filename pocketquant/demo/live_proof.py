"""`LiveProof` checks that bars built from quotes equal the exchange's own bars.

For each series, once it has closed bars that were streamed from their start:

    read            the response contains live bars
    sync            the exchange's own bars replace them
    read again      the response is equal, without live bars
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pocketquant.client import Client
from pocketquant.client.responses import Bar, BarsPage, Quote, StreamerState
from pocketquant.demo.closed_bars import MarketSession, closed_bars, next_change, sessions_of
from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import NotFound, PocketQuantError, UnsupportedInterval
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.quotes import delay_seconds
from pocketquant.domain.syncs import MAX_BARS
from pocketquant.servers.connections import wait_until
from pocketquant.terminal.quote_table import name_of

_FEWEST_BARS = 10
_CONNECTED_SECONDS = 30.0
_STORED_SECONDS = 20.0  # bars not stored by then count as missing
_AROUND = 40 * DAY  # so that the sessions of a month are known
_SYNC_SECONDS = 60  # of waiting for the other syncs; meanwhile the market goes on
_NO_BARS: BarsPage = {
    "symbol": "",
    "exchange": "",
    "interval": "",
    "data": [],
    "count": 0,
    "next_cursor": None,
    "resampled_from": None,
    "live": {"count": 0, "partial": []},
    "forming": None,
}


class ProofWindow(NamedTuple):
    """The bars of a series that open from `start` up to `end`; `traded_at` is its last trade."""

    symbol: str
    interval: Interval
    start: int
    end: int
    traded_at: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison of one series.

    `equal` counts the complete live bars that equal the exchange's own, `differing` names those
    that differ or are missing, and `left` counts the bars that are still live after the sync.
    """

    window: ProofWindow
    equal: int
    differing: tuple[str, ...]
    left: int


class LiveProof:
    """Compares every live bar of these symbols once; `speed` is that of the market's clock."""

    def __init__(self, client: Client, symbols: tuple[str, ...], speed: float = 1.0) -> None:
        self._client = client
        self._symbols = symbols
        self._speed = speed
        self._compared_until: dict[tuple[str, Interval], int] = {}

    def market_time(self) -> float:
        """Return the market's time, by the newest report of a streamer."""
        wait_until("a streamer reports", self._reports, (), _CONNECTED_SECONDS)
        return max(_seconds(each["as_of"]) for each in self._reports())

    def streamed_since(self, began: float) -> float:
        """Return the time since which no tick was missed: `began` or the last connection."""
        wait_until("a streamer is connected", self._connections, (), _CONNECTED_SECONDS)
        return max([began, *self._connections()])

    def compare(self, since: float, now: float) -> list[Compared]:
        """Compare the bars that opened after `since`, closed by `now` and are not yet compared."""
        quotes = self._quotes()
        windows = list(self._windows(since, now, quotes, self._sessions(now)))
        self._wait_until_stored([one for one in windows if one.interval is Interval.M1])
        before = [self._read(window) for window in windows]  # a sync of days changes weeks too
        compared = list(map(self._compare, windows, before))
        for window in windows:
            self._compared_until[window.symbol, window.interval] = window.end
        return [one for one in compared if one is not None]

    def closed_markets(self, now: float) -> list[str]:
        """Return the symbols whose market is closed now, each with the time of its next open."""
        return [
            f"{symbol} until {_shown(opens_at)}"
            for symbol, sessions in self._sessions(now).items()
            for is_open, opens_at in [next_change(sessions, int(now))]
            if not is_open
        ]

    def _reports(self) -> list[StreamerState]:
        return self._client.quotes.status()["streamers"]

    def _connections(self) -> list[int]:
        connected = (each["connected_at"] for each in self._reports())
        return [_seconds(each) for each in connected if each]

    def _sessions(self, now: float) -> dict[str, list[MarketSession]]:
        start, end = _date(int(now) - _AROUND), _date(int(now) + _AROUND)
        calendar = self._client.calendar
        return {symbol: sessions_of(calendar(symbol, start, end)) for symbol in self._symbols}

    def _quotes(self) -> dict[str, Quote]:
        quotes = {name_of(quote): quote for quote in self._client.quotes.all()}
        missing = [symbol for symbol in self._symbols if symbol not in quotes]
        if missing:
            raise PocketQuantError(f"there are no live quotes of {', '.join(missing)}")
        return {symbol: quotes[symbol] for symbol in self._symbols}

    def _windows(
        self,
        since: float,
        now: float,
        quotes: Mapping[str, Quote],
        sessions: Mapping[str, Sequence[MarketSession]],
    ) -> Iterator[ProofWindow]:
        """Yield the windows that may contain trades; delayed symbols have a clock of their own."""
        for interval in Interval:
            for symbol, quote in quotes.items():
                delay = delay_seconds(quote["update_mode"])
                first = self._compared_until.get((symbol, interval), 0)
                seen = int(since) - delay, int(now) - delay
                closed = closed_bars(sessions[symbol], interval, first, *seen)
                traded_at = _seconds(quote["timestamp"])
                if closed and closed.open <= traded_at:
                    yield ProofWindow(symbol, interval, *closed, traded_at)

    def _wait_until_stored(self, minutes: list[ProofWindow]) -> None:
        def are_stored() -> bool:
            return all(self._has_newest(window) for window in minutes)

        try:
            wait_until("closed minutes are stored", are_stored, NotFound, _STORED_SECONDS)
        except TimeoutError:
            return  # the comparison will name the missing bars

    def _has_newest(self, window: ProofWindow) -> bool:
        newest = self._read(window)["data"][-1:]
        awaited = Interval.M1.period_start(min(window.traded_at, window.end - 1))
        return bool(newest) and _seconds(newest[0]["datetime"]) >= awaited

    def _compare(self, window: ProofWindow, before: BarsPage) -> Compared | None:
        """Sync and compare one window; None if the exchange has no bars of this interval."""
        seconds = window.end - window.start + _SYNC_SECONDS * self._speed
        n_bars = int(seconds) // window.interval.seconds + _FEWEST_BARS
        try:
            self._client.sync(window.symbol, window.interval.value, min(n_bars, MAX_BARS))
        except UnsupportedInterval:
            return None
        return compare(window, before, self._read(window))

    def _read(self, window: ProofWindow) -> BarsPage:
        query = {"start_date": _date(window.start), "end_date": _date(window.end)}
        try:
            return self._client.series.page(
                window.symbol, window.interval.value, order="asc", limit=MAX_BARS, **query
            )
        except NotFound:
            return _NO_BARS


def compare(window: ProofWindow, before: BarsPage, after: BarsPage) -> Compared:
    """Compare the responses before and after the sync; both are in order of time."""
    partial = frozenset(before["live"]["partial"])
    shown = {bar["datetime"]: bar for bar in before["data"] if bar["datetime"] not in partial}
    true = {bar["datetime"]: bar for bar in after["data"] if bar["datetime"] not in partial}
    times = [bar["datetime"] for bar in before["data"]]
    live = frozenset(times[len(times) - before["live"]["count"] :]) - partial
    wrong = [
        time for time in sorted(shown.keys() | true.keys()) if shown.get(time) != true.get(time)
    ]
    differing = tuple(
        f"{window.symbol} {window.interval.value} {time}: {_values(shown.get(time))},"
        f" the exchange's own: {_values(true.get(time))}"
        for time in wrong
    )
    return Compared(window, len(live.difference(wrong)), differing, after["live"]["count"])


def verdict(interval: Interval, compared: Iterable[Compared]) -> str:
    """Return the result of one interval in a line."""
    results = [one for one in compared if one.window.interval is interval]
    equal, left = sum(one.equal for one in results), sum(one.left for one in results)
    differing = sum(len(one.differing) for one in results)
    return (
        f"{equal} closed live {interval.value} bars of {len(results)} symbols equal the exchange's"
        f" own, {differing} differ; after the sync {left} live bars are left, the answer"
        f" {'has CHANGED' if differing else 'is unchanged'}"
    )


def _values(bar: Bar | None) -> str:
    if bar is None:
        return "missing"
    return "/".join(str(bar[name]) for name in ("open", "high", "low", "close", "volume"))


def _seconds(date: str | None) -> int:
    """Return epoch seconds; 0 for the time of a quote without a trade."""
    return 0 if date is None else int(datetime.fromisoformat(date).timestamp())


def _shown(seconds: int | None) -> str:
    return f"{to_date(seconds):%a %H:%M} UTC" if seconds is not None else "an unknown time"


def _date(seconds: int) -> str:
    return to_date(seconds).isoformat()
