"""The server's side of a quote session: its symbols, their first states and their changes."""

import json
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import msgspec

from pocketquant.simulator.market import world
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.market.trading import Trade
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import calls, snapshots
from pocketquant.simulator.wire.faults import OF_QUOTES, OF_TRADES, FaultKind, Faults
from pocketquant.simulator.wire.feeds import Feed
from pocketquant.simulator.wire.misbehaviour import ActiveFaults
from pocketquant.simulator.wire.outgoing import CallRefused, Event
from pocketquant.simulator.wire.snapshots import Values
from pocketquant.tradingview import frames
from pocketquant.tradingview.messages import FIRST_DAY, FIRST_MINUTE, PREVIOUS_DAY

SLOW_MS = 10_000  # between two updates of a symbol that is not fast

_MAX_FIRST = 50  # first states in one push; each costs as much as a thousand updates
_MAX_UPDATES = 5_000
_CORRECTION = 10.0  # units
_ENCODER = msgspec.json.Encoder()
_UNKNOWN: Values = {"s": "error", "errmsg": "no_such_symbol", "v": {}}
_GROUP = "economics_paid"
_METHODS = frozenset(
    {
        "quote_set_fields",
        "quote_add_symbols",
        "quote_fast_symbols",
        "quote_remove_symbols",
        "quote_hibernate_all",
    }
)


@dataclass(slots=True, eq=False)
class _Watched:
    """A symbol of the session with the text that added it; `opening` begins its updates."""

    text: str
    symbol: str
    feed: Feed
    opening: str
    reports: Values
    held: list[str] = field(default_factory=list)

    def framed(self, changes: Values) -> str:
        """Return the frame of an update with these changes."""
        return frames.encode(f"{self.opening}{_ENCODER.encode(changes).decode()}}}]}}")


class SimulatedQuoteSession:
    """One quote session; `answer` executes calls, `push` returns updates; both return frames."""

    def __init__(self, name: str, market: Market, faults: Faults) -> None:
        self.name = name
        self._market = market
        self._faults = faults
        self._fields: frozenset[str] = frozenset()
        self._fast: frozenset[str] | None = None
        self._waiting: deque[str] = deque()
        self._watched: dict[str, _Watched] = {}
        self._agenda: list[tuple[int, int, _Watched]] = []
        self._entries = 0
        self._is_hibernating = False

    @property
    def is_complete(self) -> bool:
        """Whether it has symbols, and the first state of each was sent."""
        return bool(self._watched) and not self._waiting

    def is_behind(self, now_ms: int) -> bool:
        """Return whether `push` has more frames than it could return at once."""
        is_due = bool(self._agenda) and self._agenda[0][0] <= now_ms
        return is_due or (bool(self._waiting) and not self._faults.are_ordered)

    def answer(self, method: str, params: list[Any], now_ms: int) -> list[str]:
        """Execute a call; after `CallRefused`, the session goes on."""
        names = params[1:]
        if method not in _METHODS or not all(isinstance(name, str) for name in names):
            raise CallRefused
        if method == "quote_hibernate_all":
            self.hibernate()
        elif method == "quote_set_fields":
            self._fields = frozenset(names)
        elif method == "quote_remove_symbols":
            self._remove(frozenset(names))
        elif method == "quote_fast_symbols":
            self._fast, self._is_hibernating = frozenset(names), False
        else:
            return self._add(names, now_ms)
        return []

    def hibernate(self) -> None:
        """Send no changes until symbols are added or made fast."""
        self._is_hibernating = True

    def push(self, now_ms: int) -> list[str]:
        """Return first states that are still missing, then the changes that are due, in order."""
        updates = self._first_quotes(now_ms)
        while self._agenda and self._agenda[0][0] <= now_ms and len(updates) < _MAX_UPDATES:
            watched = heappop(self._agenda)[2]
            if self._watched.get(watched.text) is watched:
                updates += self._update(watched, now_ms)
        return updates

    def _add(self, texts: list[str], now_ms: int) -> list[str]:
        for text in texts:
            calls.symbol(text)
        self._is_hibernating = False
        self._waiting.extend(texts)
        return self._first_quotes(now_ms)

    def _remove(self, texts: frozenset[str]) -> None:
        self._waiting = deque(text for text in self._waiting if text not in texts)
        for text in texts & self._watched.keys():
            del self._watched[text]

    def _first_quotes(self, now_ms: int) -> list[str]:
        """Return the first state of waiting symbols; muted symbols go on waiting."""
        states: list[str] = []
        for _ in range(min(_MAX_FIRST, len(self._waiting))):
            text = self._waiting.popleft()
            symbol = calls.symbol(text).symbol
            active = self._faults.triggered(OF_QUOTES, symbol)
            if FaultKind.QUOTES_MUTE in active:
                self._waiting.append(text)
                continue
            state = _refusal(active) or self._first_state(text, symbol, now_ms)
            states.append(self._qsd(text, state))
            states.append(Event("quote_completed", (self.name, text)).framed(now_ms))
        return states

    def _first_state(self, text: str, symbol: str, now_ms: int) -> Values:
        asked = calls.symbol(text)
        instrument = world.resolve(symbol, currency=asked.currency)
        if instrument is None:
            return _UNKNOWN
        if instrument.permission_group:
            return _denied(instrument.permission_group)
        now = now_ms // 1000
        reports = self._reports(instrument, now)
        history = world.resolve(symbol, asked.session) or instrument
        others = self._beginnings(history) | self._selected(reports)
        day = self._market.day(instrument, now)
        if day is None:
            values = self._selected(snapshots.values(instrument, day, now))
            return {"s": "ok", "v": values | others}
        feed = Feed(instrument, day, self._market.market_events(instrument, now), now)
        opening = _opening(self.name, text)
        watched = self._watched[text] = _Watched(text, symbol, feed, opening, reports)
        self._schedule(watched, 0)
        return {"s": "ok", "v": self._selected(feed.values) | others}

    def _schedule(self, watched: _Watched, earliest_ms: int) -> None:
        """Put the symbol's next change on the agenda."""
        due_ms = watched.feed.due_ms
        if due_ms is not None:
            self._entries += 1
            heappush(self._agenda, (max(due_ms, earliest_ms), self._entries, watched))

    def _update(self, watched: _Watched, now_ms: int) -> list[str]:
        """Return a symbol's update: the next change of a fast one, all due changes of another."""
        is_trade = isinstance(watched.feed.next, Trade)
        active = self._faults.triggered(OF_TRADES if is_trade else OF_QUOTES, watched.symbol)
        if refusal := _refusal(active):
            del self._watched[watched.text]
            return [self._qsd(watched.text, refusal)]
        if FaultKind.VOLUME_RESET in active:
            watched.feed.restart_day()
        if fault := active.get(FaultKind.VOLUME_FALLS):
            watched.feed.correct_volume(fault.number(_CORRECTION))
        is_fast = self._fast is None or watched.text in self._fast
        watched.feed.play(None if is_fast else now_ms)
        self._schedule(watched, 0 if is_fast else now_ms + SLOW_MS)
        if self._is_hibernating or FaultKind.QUOTES_MUTE in active:
            return []
        changes = self._selected(watched.feed.take() | self._new_reports(watched, now_ms // 1000))
        if FaultKind.QUOTES_UNREADABLE in active:
            changes["volume"] = str(changes.get("volume"))
        updates = [watched.framed(changes)] if changes else []
        if FaultKind.TIME_ALONE in active:
            updates.append(watched.framed({"lp_time": now_ms // 1000}))
        return _disturbed(watched, updates, active) if is_trade else updates

    def _new_reports(self, watched: _Watched, now: int) -> Values:
        """Return the fields about dividends and the day before that have changed."""
        before, instrument = watched.reports, watched.feed.instrument
        if watched.feed.has_new_day():
            watched.reports = self._reports(instrument, now)
        else:
            watched.reports = before | self._market.dividends(instrument, now)
        return {name: each for name, each in watched.reports.items() if each != before.get(name)}

    def _reports(self, instrument: Instrument, now: int) -> Values:
        dividends = self._market.dividends(instrument, now)
        if PREVIOUS_DAY not in self._fields:
            return dividends
        before = self._market.previous_day(instrument, now)
        return dividends | ({PREVIOUS_DAY: snapshots.day_bar(*before)} if before else {})

    def _beginnings(self, instrument: Instrument) -> Values:
        """Return when the histories of days and minutes begin, if the client selected that."""
        wanted = {FIRST_DAY: Resolution(1, "D"), FIRST_MINUTE: Resolution(1, "m")}
        return {
            name: self._market.first_time(instrument, resolution)
            for name, resolution in wanted.items()
            if name in self._fields
        }

    def _selected(self, values: Values) -> Values:
        """Return the fields that the client selected; without a selection, all."""
        if not self._fields:
            return values
        return {name: value for name, value in values.items() if name in self._fields}

    def _qsd(self, text: str, state: Values) -> str:
        return Event("qsd", (self.name, {"n": text, **state})).framed(0)


def _opening(name: str, text: str) -> str:
    """Return the text at the beginning of all updates of a symbol."""
    return f'{{"m":"qsd","p":[{json.dumps(name)},{{"n":{json.dumps(text)},"s":"ok","v":'


def _disturbed(watched: _Watched, updates: list[str], active: ActiveFaults) -> list[str]:
    """Repeat a trade, or hold it back until after the next one, as the faults say."""
    if FaultKind.QUOTES_REPEATED in active:
        updates = updates * 2
    if FaultKind.QUOTES_UNORDERED in active and not watched.held:
        watched.held = updates
        return []
    updates, watched.held = updates + watched.held, []
    return updates


def _refusal(active: ActiveFaults) -> Values | None:
    """Return the refusal that a fault puts in place of a symbol's state."""
    if FaultKind.QUOTES_UNKNOWN in active:
        return _UNKNOWN
    if fault := active.get(FaultKind.QUOTES_PERMISSION):
        return _denied(fault.text(_GROUP))
    return None


def _denied(group: str) -> Values:
    return {"s": "permission_denied", "errmsg": "Permission denied", "v": {"alternative": group}}
