"""`QuoteSession`: turns the messages about the quotes of many symbols into ticks and quotes.

    add, remove → outgoing → …      receive → ticks → …      changed → quotes

It opens no socket: `receive` takes texts; `outgoing` returns the calls and heartbeats to send.
Symbol errors and unreadable quotes are reported, and the session goes on. An error of the session
or the connection ends it; the next session starts from the quotes known so far. Its caller closes
the connection and detects silence.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pocketquant.domain.batches import batched
from pocketquant.domain.errors import PocketQuantError, ProtocolViolation
from pocketquant.domain.quotes import LiveQuote, Quote, Tick
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Symbol
from pocketquant.tradingview import frames, messages
from pocketquant.tradingview.messages import REPORT_FIELDS, Message, Qsd, Unreadable
from pocketquant.tradingview.reasons import error_for_reason
from pocketquant.tradingview.reports import QuoteReports

SYMBOLS_A_CALL = 200  # the server has no known limit; this keeps a call to a few kilobytes
MOST_UNREADABLE = 10  # a symbol with so many unreadable quotes within an hour is refused

_UNREADABLE_SECONDS = 3600.0


class FeedDelay(NamedTuple):
    """The delay of a symbol's quotes, reported at its first quote and at each change."""

    symbol: str
    delay_seconds: int


class SymbolRefusal(NamedTuple):
    """A symbol for which the provider refuses quotes."""

    symbol: str
    error: PocketQuantError


class DroppedQuote(NamedTuple):
    """An unreadable quote and its fault; `symbol` is empty if its name was unreadable too."""

    symbol: str
    fault: str


class Doubt(NamedTuple):
    """A time, by the symbol's clock, in whose minute the sizes of trades are uncertain."""

    symbol: str
    time: int


@dataclass(frozen=True, slots=True)
class Received:
    """The contents of a text, in order; a symbol's delay comes before its first tick.

    `ended` are quotes just before their session or day changed, and `reports` are those of
    symbols of which such fields have come.
    """

    delays: list[FeedDelay] = field(default_factory=list)
    ended: list[Quote] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    refused: list[SymbolRefusal] = field(default_factory=list)
    dropped: list[DroppedQuote] = field(default_factory=list)
    reports: dict[str, Report] = field(default_factory=dict)


class QuoteSession:
    """One quote session on its own connection.

    `known` are the quotes of the session before: trade sizes count from their volumes, and a
    repeated quote makes no tick.
    """

    def __init__(self, session: str, token: str, known: Iterable[Quote] = ()) -> None:
        self._session = session
        self._known = {quote.symbol: quote for quote in known}
        self._decoder = frames.FrameDecoder()
        self._outgoing: list[str] = []
        self._symbols: dict[str, None] = {}  # an ordered set, as are the next two
        self._to_add: dict[str, None] = {}
        self._to_remove: dict[str, None] = {}
        self._quotes: dict[str, LiveQuote] = {}
        self._reports: dict[str, QuoteReports] = {}
        self._awaited: set[str] = set()
        self._changed: dict[str, LiveQuote] = {}
        self._unreadable_at: dict[str, deque[float]] = {}
        self._greeted_at: float | None = None
        self._error: PocketQuantError | None = None
        self.authorize(token)
        self._call("quote_create_session")
        self._call("quote_set_fields", *messages.QUOTE_FIELDS)

    @property
    def error(self) -> PocketQuantError | None:
        """The error that ended the session; later texts are ignored."""
        return self._error

    @property
    def is_over(self) -> bool:
        return self._error is not None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols added, without those removed or refused."""
        return tuple(self._symbols)

    @property
    def awaited(self) -> frozenset[str]:
        """The symbols whose full state has not arrived yet."""
        return frozenset(self._awaited)

    @property
    def open_market(self) -> str | None:
        """A symbol whose market is open, so that quotes should come; None if all are closed."""
        return next((name for name, each in self._quotes.items() if each.is_market_open), None)

    def authorize(self, token: str) -> None:
        """Switch to this auth token; with an expired token, quotes stop coming."""
        self._outgoing.append(messages.call("set_auth_token", token))

    def add(self, symbols: Iterable[Symbol]) -> None:
        """Add symbols; those already added are skipped."""
        for name in map(str, symbols):
            if name not in self._symbols:
                self._symbols[name] = None
                self._awaited.add(name)
                self._to_add[name] = None

    def remove(self, symbols: Iterable[Symbol]) -> None:
        """Remove symbols and forget their quotes."""
        for name in map(str, symbols):
            if name in self._symbols:
                self._drop(name)
                if name in self._to_add:
                    del self._to_add[name]
                else:
                    self._to_remove[name] = None

    def ask_again(self, symbol: str) -> None:
        """Request the full state of a symbol again, to check that the server answers."""
        self._to_remove[symbol] = None
        self._to_add[symbol] = None

    def hibernate(self) -> None:
        """Request that all updates stop until symbols are added or removed."""
        self._call("quote_hibernate_all")

    def receive(self, text: str, now: float) -> Received:
        """Process a WebSocket text of any number of frames, or a part of one; it came at `now`."""
        received = Received()
        if self.is_over:
            return received
        try:
            for payload in self._decoder.feed(text):
                message = messages.read(payload)
                if isinstance(message, Qsd):  # nearly all messages
                    self._merge(message, now, received)
                    continue
                if isinstance(message, Unreadable):
                    self._drop_quote(message, now, received)
                    continue
                self._handle(message)
                if self._error is not None:
                    break
        except ProtocolViolation as error:
            self._error = error
        return received

    def outgoing(self) -> list[str]:
        """Return the frames to send now, each once; symbols are added and removed in batches."""
        names_removed, names_added = self._to_remove, self._to_add
        self._to_remove, self._to_add = {}, {}
        for batch in batched(names_removed, SYMBOLS_A_CALL):
            self._call("quote_remove_symbols", *batch)
        for batch in batched(names_added, SYMBOLS_A_CALL):
            self._call("quote_add_symbols", *batch)
        if names_removed or names_added:
            self._call("quote_fast_symbols", *self._symbols)
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def greeted_at(self) -> float | None:
        """Return the provider's time in its hello, once; None before a hello or without a time."""
        greeted_at, self._greeted_at = self._greeted_at, None
        return greeted_at

    def changed(self) -> list[Quote]:
        """Return the quotes that changed since the last call."""
        changed, self._changed = self._changed, {}
        return [each.quote() for each in changed.values()]

    def quotes(self) -> list[Quote]:
        """Return all known quotes, for the next session."""
        answered = {name: each.quote() for name, each in self._quotes.items()}
        return list((self._known | answered).values())

    def _call(self, method: str, *params: str) -> None:
        self._outgoing.append(messages.call(method, self._session, *params))

    def _handle(self, message: Message) -> None:
        match message:
            case messages.Hello():
                self._greeted_at = message.timestamp_ms / 1000 or float(message.timestamp) or None
            case messages.Heartbeat():
                self._outgoing.append(frames.encode(message.payload))
            case messages.QuoteCompleted() if message.session == self._session:
                self._complete(message.name)
            case messages.CriticalError() if message.session == self._session:
                self._error = error_for_reason("quotes", str(message.reason), str(message.detail))
            case messages.ProtocolError():
                self._error = error_for_reason("quotes", str(message.reason))

    def _complete(self, name: str) -> None:
        """Note that the full state has come; the quote counts as changed, since it is whole now."""
        self._awaited.discard(name)
        if name in self._quotes:
            self._changed[name] = self._quotes[name]

    def _merge(self, message: Qsd, now: float, received: Received) -> None:
        answer, name = message.answer, message.answer.name
        if message.session != self._session or name not in self._symbols:
            return
        if not answer.is_ok:
            self._refuse(name, str(answer.error or answer.status), received)
            return
        live = self._quotes.get(name)
        delay = live.delay_seconds if live else None
        if live is None:
            live = self._quotes[name] = LiveQuote(name, self._known.get(name))
        tick = live.update(answer.changes(), now)
        if live.delay_seconds != delay:
            received.delays.append(FeedDelay(name, live.delay_seconds))
        if tick is not None:
            received.ticks.append(tick)
        if live.ended is not None:
            received.ended.append(live.ended)
            live.ended = None
        if live.doubts:
            received.doubts.extend(Doubt(name, time) for time in live.doubts)
            live.doubts = ()
        self._changed[name] = live
        if not REPORT_FIELDS.isdisjoint(answer.fields):
            reports = self._reports.setdefault(name, QuoteReports())
            reports.update(answer.fields)
            received.reports[name] = reports.report()

    def _drop_quote(self, message: Unreadable, now: float, received: Received) -> None:
        """Drop an unreadable quote; after too many of them, refuse the symbol."""
        name = message.subject or ""
        is_own = message.method == "qsd" and message.session == self._session
        if not is_own or (name and name not in self._symbols):
            return
        received.dropped.append(DroppedQuote(name, message.fault))
        times = self._unreadable_at.setdefault(name, deque(maxlen=MOST_UNREADABLE))
        times.append(now)
        if name and len(times) == MOST_UNREADABLE and now - times[0] < _UNREADABLE_SECONDS:
            reason = (
                f"{MOST_UNREADABLE} quotes could not be read, the last one for: {message.fault}"
            )
            self._drop(name)
            self._to_remove[name] = None
            error = ProtocolViolation(f"TradingView on {name}: {reason}")
            received.refused.append(SymbolRefusal(name, error))

    def _refuse(self, name: str, reason: str, received: Received) -> None:
        self._drop(name)
        received.refused.append(SymbolRefusal(name, error_for_reason(name, reason)))

    def _drop(self, name: str) -> None:
        del self._symbols[name]
        self._awaited.discard(name)
        self._known.pop(name, None)
        self._quotes.pop(name, None)
        self._changed.pop(name, None)
        self._reports.pop(name, None)
        self._unreadable_at.pop(name, None)
