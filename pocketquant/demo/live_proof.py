"""`LiveProof` checks that bars built from quotes equal the exchange's own bars.

For each series, once it has closed bars that were streamed from their start:

    read            the response contains live bars
    sync            the exchange's own bars replace them
    read again      the response is equal, without live bars
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from pocketquant.client import Client
from pocketquant.client.responses import Bar, BarsPage, Quote
from pocketquant.domain.errors import NotFound, PocketQuantError, UnsupportedInterval
from pocketquant.domain.intervals import Interval
from pocketquant.domain.quotes import delay_seconds
from pocketquant.domain.syncs import MAX_BARS
from pocketquant.servers.connections import wait_until
from pocketquant.terminal.quote_table import name_of

_FEWEST_BARS = 10
_CONNECTED_SECONDS = 30.0
_STORED_SECONDS = 20.0  # bars not stored by then count as missing
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
    """Compares every live bar of these symbols once."""

    def __init__(self, client: Client, symbols: tuple[str, ...]) -> None:
        self._client = client
        self._symbols = symbols
        self._compared_until: dict[tuple[str, Interval], int] = {}

    def streamed_since(self, began: float) -> float:
        """Return the time since which no tick was missed: `began` or the last connection."""
        wait_until("a streamer is connected", self._connections, (), _CONNECTED_SECONDS)
        return max([began, *self._connections()])

    def compare(self, since: float, now: float) -> list[Compared]:
        """Compare the bars that opened after `since`, closed by `now` and are not yet compared."""
        windows = list(self._windows(since, now, self._quotes()))
        self._wait_until_stored([one for one in windows if one.interval is Interval.M1])
        compared = [self._compare(window) for window in windows]
        for window in windows:
            self._compared_until[window.symbol, window.interval] = window.end
        return [one for one in compared if one is not None]

    def _connections(self) -> list[int]:
        streamers = self._client.quotes.status()["streamers"]
        return [_seconds(each["connected_at"]) for each in streamers if each["connected_at"]]

    def _quotes(self) -> dict[str, Quote]:
        quotes = {name_of(quote): quote for quote in self._client.quotes.all()}
        missing = [symbol for symbol in self._symbols if symbol not in quotes]
        if missing:
            raise PocketQuantError(f"there are no live quotes of {', '.join(missing)}")
        return {symbol: quotes[symbol] for symbol in self._symbols}

    def _windows(
        self, since: float, now: float, quotes: Mapping[str, Quote]
    ) -> Iterator[ProofWindow]:
        """Yield the windows that may contain trades; delayed symbols have a clock of their own."""
        for interval in Interval:
            for symbol, quote in quotes.items():
                delay = delay_seconds(quote["update_mode"])
                first = interval.period_end(int(since) - delay)
                start = self._compared_until.get((symbol, interval), first)
                window = ProofWindow(
                    symbol,
                    interval,
                    max(first, start),
                    interval.period_start(int(now) - delay),
                    _seconds(quote["timestamp"]),
                )
                if window.start < window.end and window.start <= window.traded_at:
                    yield window

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

    def _compare(self, window: ProofWindow) -> Compared | None:
        """Compare one window; None if the exchange has no such bars or other open times."""
        before = self._read(window)
        n_bars = (window.end - window.start) // window.interval.seconds + _FEWEST_BARS
        try:
            self._client.sync(window.symbol, window.interval.value, min(n_bars, MAX_BARS))
        except UnsupportedInterval:
            return None
        after = self._read(window)
        return compare(window, before, after) if _opens_as_ours(window, after) else None

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


def _opens_as_ours(window: ProofWindow, page: BarsPage) -> bool:
    times = [_seconds(bar["datetime"]) for bar in page["data"]]
    return all(window.interval.period_start(time) == time for time in times)


def _values(bar: Bar | None) -> str:
    if bar is None:
        return "missing"
    return "/".join(str(bar[name]) for name in ("open", "high", "low", "close", "volume"))


def _seconds(date: str | None) -> int:
    """Return epoch seconds; 0 for the time of a quote without a trade."""
    return 0 if date is None else int(datetime.fromisoformat(date).timestamp())


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
