"""A quote session of the server: its symbols, what each is told at first, and what changes."""

import json
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import msgspec

from pocketquant.simulator.market import world
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.market.trading import Trade
from pocketquant.simulator.wire import calls, snapshots
from pocketquant.simulator.wire.faults import OF_QUOTES, OF_TRADES, FaultKind, Faults
from pocketquant.simulator.wire.feeds import Feed
from pocketquant.simulator.wire.misbehaviour import ActiveFaults
from pocketquant.simulator.wire.outgoing import CallRefused, Event
from pocketquant.simulator.wire.snapshots import Values
from pocketquant.tradingview import frames

SLOW_MS = 10_000  # between two updates of a symbol that is not among the fast ones

_MOST_FIRST = 50  # symbols looked up at a time, each at the cost of a thousand updates
_MOST_UPDATES = 5_000
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
    """A symbol of the session, by the very text that named it; `opening` begins its updates."""

    text: str
    symbol: str
    feed: Feed
    opening: str
    held: list[str] = field(default_factory=list)

    def framed(self, changes: Values) -> str:
        """An update with these changes."""
        return frames.encode(f"{self.opening}{_ENCODER.encode(changes).decode()}}}]}}")


class SimulatedQuoteSession:
    """One quote session, from its making to its end.

    `answer` does what a call asks, `push` gives what is due; both give frames.
    """

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
        """Whether it has symbols, and all have been told for the first time."""
        return bool(self._watched) and not self._waiting

    def is_behind(self, now_ms: int) -> bool:
        """Whether `push` has more than it could give at once."""
        is_due = bool(self._agenda) and self._agenda[0][0] <= now_ms
        return is_due or (bool(self._waiting) and not self._faults.are_ordered)

    def answer(self, method: str, params: list[Any], now_ms: int) -> list[str]:
        """Do what a call asks. A call that is `CallRefused` is lost, the session lives."""
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
        """Tell no more changes until symbols are added or made fast."""
        self._is_hibernating = True

    def push(self, now_ms: int) -> list[str]:
        """The first state of symbols that wait for it, then the changes that are due, in order."""
        told = self._first_quotes(now_ms)
        while self._agenda and self._agenda[0][0] <= now_ms and len(told) < _MOST_UPDATES:
            watched = heappop(self._agenda)[2]
            if self._watched.get(watched.text) is watched:
                told += self._update(watched, now_ms)
        return told

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
        """The state of each symbol; of one that is mute nothing yet."""
        told: list[str] = []
        for _ in range(min(_MOST_FIRST, len(self._waiting))):
            text = self._waiting.popleft()
            symbol = calls.symbol(text).symbol
            active = self._faults.triggered(OF_QUOTES, symbol)
            if FaultKind.QUOTES_MUTE in active:
                self._waiting.append(text)
                continue
            state = _refusal(active) or self._first_state(text, symbol, now_ms)
            told.append(self._qsd(text, state))
            told.append(Event("quote_completed", (self.name, text)).framed(now_ms))
        return told

    def _first_state(self, text: str, symbol: str, now_ms: int) -> Values:
        asked = calls.symbol(text)
        instrument = world.wanted(symbol, currency=asked.currency)
        if instrument is None:
            return _UNKNOWN
        if instrument.permission_group:
            return _denied(instrument.permission_group)
        now = now_ms // 1000
        day = self._market.day(instrument, now)
        if day is None:
            return {"s": "ok", "v": self._wanted(snapshots.values(instrument, day, now))}
        feed = Feed(instrument, day, self._market.market_events(instrument, now), now)
        watched = self._watched[text] = _Watched(text, symbol, feed, _opening(self.name, text))
        self._note(watched, 0)
        return {"s": "ok", "v": self._wanted(feed.values)}

    def _note(self, watched: _Watched, earliest_ms: int) -> None:
        """Put its next change on the agenda."""
        due_ms = watched.feed.due_ms
        if due_ms is not None:
            self._entries += 1
            heappush(self._agenda, (max(due_ms, earliest_ms), self._entries, watched))

    def _update(self, watched: _Watched, now_ms: int) -> list[str]:
        """What one symbol is told: a fast one each change, another all of them now and then."""
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
        self._note(watched, 0 if is_fast else now_ms + SLOW_MS)
        if self._is_hibernating or FaultKind.QUOTES_MUTE in active:
            return []
        changes = self._wanted(watched.feed.take())
        if FaultKind.QUOTES_UNREADABLE in active:
            changes["volume"] = str(changes.get("volume"))
        told = [watched.framed(changes)] if changes else []
        if FaultKind.TIME_ALONE in active:
            told.append(watched.framed({"lp_time": now_ms // 1000}))
        return _disturbed(watched, told, active) if is_trade else told

    def _wanted(self, values: Values) -> Values:
        """Without a list of fields, all."""
        if not self._fields:
            return values
        return {name: value for name, value in values.items() if name in self._fields}

    def _qsd(self, text: str, state: Values) -> str:
        return Event("qsd", (self.name, {"n": text, **state})).framed(0)


def _opening(name: str, text: str) -> str:
    """What all updates of a symbol begin with."""
    return f'{{"m":"qsd","p":[{json.dumps(name)},{{"n":{json.dumps(text)},"s":"ok","v":'


def _disturbed(watched: _Watched, told: list[str], active: ActiveFaults) -> list[str]:
    """A trade told twice, or after the one that comes next."""
    if FaultKind.QUOTES_REPEATED in active:
        told = told * 2
    if FaultKind.QUOTES_UNORDERED in active and not watched.held:
        watched.held = told
        return []
    told, watched.held = told + watched.held, []
    return told


def _refusal(active: ActiveFaults) -> Values | None:
    """What the state of a symbol is instead, on order."""
    if FaultKind.QUOTES_UNKNOWN in active:
        return _UNKNOWN
    if fault := active.get(FaultKind.QUOTES_PERMISSION):
        return _denied(fault.text(_GROUP))
    return None


def _denied(group: str) -> Values:
    return {"s": "permission_denied", "errmsg": "Permission denied", "v": {"alternative": group}}
