"""`HistorySession`: turns the messages about one series into its bars or a typed error.

    hello · series_loading · symbol_resolved · timescale_update… · series_completed

It opens no socket: `receive` takes texts, `outgoing` returns the heartbeats to send. The session
is over at `series_completed`, at an error of its symbol, series or chart session, or when the
server ends the connection. Its caller closes the connection and watches the deadline. Messages
about other sessions are ignored.
"""

from collections import Counter

import numpy as np

from pocketquant.domain.bars import (
    EARLIEST_TIME,
    LATEST_TIME,
    Bars,
    Floats,
    Refusal,
    validate,
)
from pocketquant.domain.errors import PocketQuantError, ProtocolViolation
from pocketquant.domain.listings import Listing
from pocketquant.domain.quotes import delay_seconds
from pocketquant.domain.symbols import Symbol
from pocketquant.domain.syncs import FormingBar, History, SyncRequest
from pocketquant.tradingview import frames, messages
from pocketquant.tradingview.calendar_texts import calendar_texts
from pocketquant.tradingview.messages import Block, Message, Resolved, text_or_empty
from pocketquant.tradingview.reasons import error_for_reason

_TIME, _VOLUME = 0, 5
_MAX_COUNT = 2**53
_MAX_BARS_SENT = 100_000  # twice as many as the largest plan allows

_OfSession = (
    messages.SymbolResolved
    | messages.TimescaleUpdate
    | messages.Du
    | messages.SeriesCompleted
    | messages.SymbolError
    | messages.SeriesError
    | messages.CriticalError
    | messages.Unreadable
)


class HistorySession:
    """The messages that answer one request; the ids are those of the calls sent."""

    def __init__(
        self,
        request: SyncRequest,
        chart_session: str,
        series_id: str = "s1",
        turnaround: str = "s1",
        symbol_id: str = "symbol_1",
    ) -> None:
        self._request = request
        self._chart_session = chart_session
        self._series_id = series_id
        self._turnaround = turnaround
        self._symbol_id = symbol_id
        self._subjects = (None, series_id, symbol_id)
        self._decoder = frames.FrameDecoder()
        self._outgoing: list[str] = []
        self._updates: list[Floats] = []
        self._bars_sent = 0
        self._has_volume = False
        self._close_time: int | None = None
        self._server_time = 0
        self._delay_seconds = 0
        self._listing: Listing | None = None
        self._is_completed = False
        self._error: PocketQuantError | None = None

    @property
    def is_over(self) -> bool:
        """Whether `result` is available; later texts are ignored."""
        return self._is_completed or self._error is not None

    def receive(self, text: str) -> None:
        """Process a WebSocket text of any number of frames, or a part of one."""
        if self.is_over:
            return
        try:
            for payload in self._decoder.feed(text):
                if not self.is_over:
                    self._handle(messages.read(payload))
        except ProtocolViolation as error:
            self._error = ProtocolViolation(f"TradingView on {self._request.series}: {error}")

    def outgoing(self) -> list[str]:
        """Return the frames to send now, each once."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def result(self) -> History:
        """Return the bars, none for a listing that never traded; raise the session's error."""
        if self._error is not None:
            raise self._error
        if not self._is_completed:
            raise RuntimeError("the session is not over")
        bars, refused = self._validated()
        forming = self._forming(bars, refused)
        closed = bars if forming is None else bars.first(len(bars) - 1)
        reached_at = self._server_time - self._delay_seconds
        return History(closed, forming, refused, self._listing, reached_at)

    def _handle(self, message: Message) -> None:
        match message:
            case messages.Heartbeat():
                self._outgoing.append(frames.encode(message.payload))
            case messages.Hello():
                self._server_time = max(self._server_time, message.timestamp)
            case messages.ProtocolError():
                self._fail(message.reason)
            case messages.Other() | messages.Qsd() | messages.QuoteCompleted():
                pass
            case _ if message.session == self._chart_session:
                self._handle_own(message)

    def _handle_own(self, message: _OfSession) -> None:
        match message:
            case messages.SymbolResolved() if message.symbol_id == self._symbol_id:
                self._listing = _listing(self._request.series.symbol, message.symbol)
            case messages.TimescaleUpdate():
                self._server_time = message.time or self._server_time
                self._require_readable(message.unreadable.get(self._series_id))
                self._take(message.blocks.get(self._series_id), empties=True)
            case messages.Du():
                self._require_readable(message.unreadable.get(self._series_id))
                self._take(message.blocks.get(self._series_id), empties=False)
            case messages.SeriesCompleted() if self._is_own(message):
                self._delay_seconds = delay_seconds(message.update_mode)
                self._is_completed = True
            case messages.SymbolError() if message.symbol_id == self._symbol_id:
                self._fail(message.reason)
            case messages.SeriesError() if self._is_own(message):
                self._fail(message.reason)
            case messages.CriticalError():
                self._fail(message.reason, message.detail)
            case messages.Unreadable() if message.subject in self._subjects:
                self._require_readable(f"{message.method}: {message.fault}")

    def _is_own(self, message: messages.SeriesCompleted | messages.SeriesError) -> bool:
        return (message.series, message.turnaround) == (self._series_id, self._turnaround)

    def _require_readable(self, fault: str | None) -> None:
        if fault:
            raise ProtocolViolation(f"a value cannot be read: {fault}")

    def _fail(self, reason: object, detail: object = "") -> None:
        self._error = error_for_reason(self._request.series, str(reason), str(detail))

    def _take(self, block: Block | None, empties: bool) -> None:
        """Store the bars of a block. A timescale update without bars discards earlier ones."""
        if block is None or block.bars is None:
            return
        if block.turnaround not in (None, self._turnaround):
            return
        if empties and not block.bars:
            self._updates.clear()
            self._has_volume = False
            self._close_time = None
        if block.bars:
            self._updates.append(block.columns())
            self._has_volume |= block.has_volume
        if block.newest is not None:
            self._close_time = _bar_end(block.newest.bar_close_time)
        self._bars_sent += len(block.bars)
        if self._bars_sent > _MAX_BARS_SENT:
            raise ProtocolViolation(f"TradingView sent more than {_MAX_BARS_SENT} bars")

    def _validated(self) -> tuple[Bars, Counter[Refusal]]:
        """Return the valid bars of all updates, later ones replacing earlier, and refusal counts.

        A symbol has volume if its listing allows it and any bar carries one; bars without volume
        are then refused. Bars that open after the server's time are refused too.
        """
        has_volume = self._has_volume and (self._listing is None or self._listing.has_volume)
        bars: Bars = Bars.empty()
        refused: Counter[Refusal] = Counter()
        for columns in self._updates:
            if not has_volume:
                columns[_VOLUME] = np.nan
            good, reasons = validate(columns, has_volume, self._latest_time)
            bars = bars.merge(good).bars
            refused += reasons
        return bars, refused

    def _forming(self, bars: Bars, refused: Counter[Refusal]) -> FormingBar | None:
        """Return the newest bar, unless it has provably closed.

        A close time before the feed's time (the server's time less the feed's delay) proves it.
        So does a later bar, even if refused; but after a bar that opens in the future, the close
        time that was sent is not this bar's.
        """
        time = bars.last_time
        if time is None or self._has_refused_later(time, refused):
            return None
        close_time = None if refused[Refusal.IN_FUTURE] else self._close_time
        if close_time is not None and time < close_time < self._server_time - self._delay_seconds:
            return None
        _, open_, high, low, close, volume = (float(value) for value in bars.columns[:, -1])
        return FormingBar(
            time=time,
            close_time=close_time or self._request.series.interval.period_end(time),
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=None if np.isnan(volume) else volume,
            as_of=self._server_time,
        )

    def _has_refused_later(self, time: int, refused: Counter[Refusal]) -> bool:
        if refused[Refusal.BAD_TIME]:
            return False
        return any(
            ((columns[_TIME] > time) & (columns[_TIME] <= self._latest_time)).any()
            for columns in self._updates
        )

    @property
    def _latest_time(self) -> int:
        """The latest open time a bar may have."""
        return self._server_time or LATEST_TIME


def _listing(symbol: Symbol, resolved: Resolved) -> Listing:
    return Listing(
        symbol=symbol,
        description=text_or_empty(resolved.description),
        type=text_or_empty(resolved.type),
        currency=text_or_empty(resolved.currency_code),
        timezone=text_or_empty(resolved.timezone),
        session=text_or_empty(resolved.session),
        full_name=text_or_empty(resolved.full_name),
        price_scale=_count(resolved.pricescale),
        min_move=_count(resolved.minmov),
        delay_seconds=_count(resolved.delay) or 0,  # a feed without delay names none
        allowed_adjustment=text_or_empty(resolved.allowed_adjustment),
        hours=calendar_texts(resolved),
        has_volume="v" in (resolved.visible_plots_set or "ohlcv"),
    )


def _count(value: object) -> int | None:
    """Return a descriptive whole number; None for any other value."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return int(value) if 0 <= value < _MAX_COUNT else None


def _bar_end(close_time: float | None) -> int | None:
    """Return when a bar ends; the last bar of a session announces one second less."""
    if close_time is None:
        return None
    if not EARLIEST_TIME <= close_time <= LATEST_TIME:
        raise ProtocolViolation(f"a value cannot be used: bar_close_time is {close_time}")
    return int(close_time) + (close_time % 60 == 59)
