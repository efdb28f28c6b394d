"""`LiveProof`: whether the bars built from quotes equal the exchange's own.

Of each series, once bars of it have closed that were seen whole:

    read            an answer with live bars
    sync            the exchange's own history takes their place
    read again      the same answer, without live bars
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
_STORED_SECONDS = 20.0  # after this what is not stored counts as missing
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


class Window(NamedTuple):
    """A series' bars that open from `start` up to `end`; its last trade was at `traded_at`."""

    symbol: str
    interval: Interval
    start: int
    end: int
    traded_at: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One series: its live bars seen whole that equal the exchange's own, those that differ or are
    missing, and how many bars are still live after the sync.
    """

    window: Window
    equal: int
    differing: tuple[str, ...]
    left: int


class LiveProof:
    """Compares each live bar of these symbols once."""

    def __init__(self, client: Client, symbols: tuple[str, ...]) -> None:
        self._client = client
        self._symbols = symbols
        self._compared_until: dict[tuple[str, Interval], int] = {}

    def seen_since(self, began: float) -> float:
        """Since when all ticks have come: `began`, or when a streamer connected last."""
        wait_until("a streamer is connected", self._connections, (), _CONNECTED_SECONDS)
        return max([began, *self._connections()])

    def compare(self, since: float, now: float) -> list[Compared]:
        """What has closed by now and was not compared before, of the bars begun since then."""
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

    def _windows(self, since: float, now: float, quotes: Mapping[str, Quote]) -> Iterator[Window]:
        """Those in which there may have been trade; for a delayed symbol by its own clock."""
        for interval in Interval:
            for symbol, quote in quotes.items():
                delay = delay_seconds(quote["update_mode"])
                first = interval.period_end(int(since) - delay)
                start = self._compared_until.get((symbol, interval), first)
                window = Window(
                    symbol,
                    interval,
                    max(first, start),
                    interval.period_start(int(now) - delay),
                    _seconds(quote["timestamp"]),
                )
                if window.start < window.end and window.start <= window.traded_at:
                    yield window

    def _wait_until_stored(self, minutes: list[Window]) -> None:
        def are_stored() -> bool:
            return all(self._has_newest(window) for window in minutes)

        try:
            wait_until("closed minutes are stored", are_stored, NotFound, _STORED_SECONDS)
        except TimeoutError:
            return  # the comparison names what is missing

    def _has_newest(self, window: Window) -> bool:
        newest = self._read(window)["data"][-1:]
        awaited = Interval.M1.period_start(min(window.traded_at, window.end - 1))
        return bool(newest) and _seconds(newest[0]["datetime"]) >= awaited

    def _compare(self, window: Window) -> Compared | None:
        """None where the exchange has no such bars, or has them at hours of its own."""
        before = self._read(window)
        n_bars = (window.end - window.start) // window.interval.seconds + _FEWEST_BARS
        try:
            self._client.sync(window.symbol, window.interval.value, min(n_bars, MAX_BARS))
        except UnsupportedInterval:
            return None
        after = self._read(window)
        return compare(window, before, after) if _is_on_our_grid(window, after) else None

    def _read(self, window: Window) -> BarsPage:
        query = {"start_date": _date(window.start), "end_date": _date(window.end)}
        try:
            return self._client.series.page(
                window.symbol, window.interval.value, order="asc", limit=MAX_BARS, **query
            )
        except NotFound:
            return _NO_BARS


def compare(window: Window, before: BarsPage, after: BarsPage) -> Compared:
    """An answer with live bars, and the same one after the sync; both in order of time."""
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
    """What was found of one interval, in a line."""
    found = [one for one in compared if one.window.interval is interval]
    equal, left = sum(one.equal for one in found), sum(one.left for one in found)
    differing = sum(len(one.differing) for one in found)
    return (
        f"{equal} closed live {interval.value} bars of {len(found)} symbols equal the exchange's"
        f" own, {differing} differ; after the sync {left} live bars are left, the answer"
        f" {'has CHANGED' if differing else 'is unchanged'}"
    )


def _is_on_our_grid(window: Window, answer: BarsPage) -> bool:
    times = [_seconds(bar["datetime"]) for bar in answer["data"]]
    return all(window.interval.period_start(time) == time for time in times)


def _values(bar: Bar | None) -> str:
    if bar is None:
        return "missing"
    return "/".join(str(bar[name]) for name in ("open", "high", "low", "close", "volume"))


def _seconds(date: str | None) -> int:
    """0 for a quote that was never traded."""
    return 0 if date is None else int(datetime.fromisoformat(date).timestamp())


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
