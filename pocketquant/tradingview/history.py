"""`HistorySession`: turns the messages about one series into its bars or a typed error.

    hello · series_loading · symbol_resolved · timescale_update… · series_completed

It opens no socket: `receive` takes texts, `outgoing` returns the heartbeats to send. The session
is over at `series_completed`, at an error of its symbol, series or chart session, or when the
server ends the connection. Its caller watches the deadline, and closes the connection or keeps it
for another session. Messages about other sessions are ignored.

An `Answer` is the part without frames, heartbeats and the end of a connection.
"""

from abc import ABC, abstractmethod
from collections import Counter
from typing import NamedTuple

import numpy as np

from pocketquant.domain.bars import (
    EARLIEST_TIME,
    LATEST_TIME,
    Bars,
    Floats,
    Refusal,
    validate,
)
from pocketquant.domain.errors import PocketQuantError, ProtocolViolation, Rejected
from pocketquant.domain.listings import Listing
from pocketquant.domain.quotes import delay_seconds
from pocketquant.domain.symbols import Series, Symbol
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
    | messages.SeriesLoading
    | messages.SeriesCompleted
    | messages.ClearData
    | messages.SymbolError
    | messages.SeriesError
    | messages.CriticalError
    | messages.Unreadable
)


class Ids(NamedTuple):
    """The ids in the calls about one series, which the messages repeat."""

    chart_session: str
    series: str = "s1"
    turnaround: str = "s1"
    symbol: str = "symbol_1"


class SeriesSession(ABC):
    """Reads texts for the session of one series, up to its first error.

    `ends_connection` says that the error is the connection's: the texts can't be read, or the
    server ends it.
    """

    def __init__(self, series: Series) -> None:
        self.error: PocketQuantError | None = None
        self.ends_connection = False
        self._series = series
        self._decoder = frames.FrameDecoder()
        self._outgoing: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether later texts are ignored."""
        return self.error is not None

    @property
    def leaves_connection_usable(self) -> bool:
        """Whether the chart session can be deleted, and another one can follow."""
        is_usable = self.error is None or isinstance(self.error, Rejected)
        return is_usable and not self._decoder.is_amid_frame

    def receive(self, text: str) -> None:
        """Process a WebSocket text of any number of frames, or a part of one."""
        if self.is_over:
            return
        try:
            for payload in self._decoder.feed(text):
                if not self.is_over:
                    self._take(messages.read(payload))
        except PocketQuantError as error:
            self.error, self.ends_connection = about(self._series, error), True

    def outgoing(self) -> list[str]:
        """Return the frames to send now, each once."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    @abstractmethod
    def _handle(self, message: Message) -> None:
        """Process one message, or raise its error."""

    def _take(self, message: Message) -> None:
        try:
            if isinstance(message, messages.Heartbeat):
                self._outgoing.append(frames.encode(message.payload))
            else:
                self._handle(message)
        except PocketQuantError as error:
            self.error = about(self._series, error)
            self.ends_connection = isinstance(message, messages.ProtocolError)


class HistorySession(SeriesSession):
    """The messages that answer one request; the ids are those of the calls sent."""

    def __init__(self, request: SyncRequest, *ids: str) -> None:
        super().__init__(request.series)
        self._answer = Answer(request.series, Ids(*ids))

    @property
    def is_over(self) -> bool:
        """Whether `result` is available; later texts are ignored."""
        return self._answer.is_completed or self.error is not None

    def result(self) -> History:
        """Return the bars, none for a listing that never traded; raise the session's error."""
        if self.error is not None:
            raise self.error
        if not self._answer.is_completed:
            raise RuntimeError("the session is not over")
        return self._answer.history()

    def _handle(self, message: Message) -> None:
        self._answer.handle(message)


class Answer:
    """The answer to one request for bars of a series, as it arrives.

    `has_begun` says that a message of this answer has arrived, and `data_completed` is the
    server's word for why there are no older bars.
    """

    def __init__(self, series: Series, ids: Ids) -> None:
        self.listing: Listing | None = None
        self.has_begun = False
        self.is_completed = False
        self.data_completed = ""
        self._series = series
        self._ids = ids
        self._subjects = (None, ids.series, ids.symbol)
        self._updates: list[Floats] = []
        self._bars_sent = 0
        self._has_volume = False
        self._close_time: int | None = None
        self._server_time = 0
        self._delay_seconds = 0

    @property
    def reached_at(self) -> int:
        """The epoch second that the feed has reached: the server's time less the feed's delay."""
        return self._server_time - self._delay_seconds

    def following(self) -> "Answer":
        """Return the next answer about this series, which knows what this one says of it."""
        answer = Answer(self._series, self._ids)
        answer.listing = self.listing
        answer._has_volume = self._has_volume
        answer._server_time = self._server_time
        answer._delay_seconds = self._delay_seconds
        return answer

    def handle(self, message: Message) -> None:
        """Take what the message says of this answer.

        An error of its symbol, series, chart session or connection is raised.
        """
        match message:
            case messages.Hello():
                self._server_time = max(self._server_time, message.timestamp)
            case messages.ProtocolError():
                raise self._failure(message.reason)
            case messages.Heartbeat() | messages.Other():
                pass
            case messages.Qsd() | messages.QuoteCompleted():
                pass
            case _ if message.session == self._ids.chart_session:
                self._handle_own(message)

    def history(self) -> History:
        """Return the closed bars, the forming one, and what else is known of the series."""
        bars, refused = self.bars()
        forming = self._forming(bars, refused)
        closed = bars if forming is None else bars.first(len(bars) - 1)
        return History(closed, forming, refused, self.listing, self.reached_at)

    def bars(self) -> tuple[Bars, Counter[Refusal]]:
        """Return the valid bars of all updates, later ones replacing earlier, and refusal counts.

        A symbol has volume if its listing allows it and any bar carries one; bars without volume
        are then refused. Bars that open after the server's time are refused too.
        """
        has_volume = self._has_volume and (self.listing is None or self.listing.has_volume)
        bars: Bars = Bars.empty()
        refused: Counter[Refusal] = Counter()
        for columns in self._updates:
            if not has_volume:
                columns[_VOLUME] = np.nan
            good, reasons = validate(columns, has_volume, self._latest_time)
            bars = bars.merge(good).bars
            refused += reasons
        return bars, refused

    def _handle_own(self, message: _OfSession) -> None:
        match message:
            case messages.SymbolResolved() if message.symbol_id == self._ids.symbol:
                listing = _listing(self._series.symbol, message.symbol)
                listing.require_own_variant()
                self.listing = listing
            case messages.SeriesLoading():
                self.has_begun |= self._is_own(message)
            case messages.TimescaleUpdate():
                self._server_time = message.time or self._server_time
                self._require_readable(message.unreadable.get(self._ids.series))
                self._take(message.blocks.get(self._ids.series), empties=True)
            case messages.Du():
                self._require_readable(message.unreadable.get(self._ids.series))
                self._take(message.blocks.get(self._ids.series), empties=False)
            case messages.ClearData() if self._ids.series in message.series:
                self._clear()
            case messages.SeriesCompleted() if self._is_own(message):
                self._delay_seconds = delay_seconds(message.update_mode)
                self.data_completed = message.data_completed
                self.is_completed = True
            case messages.Unreadable() if message.subject in self._subjects:
                self._require_readable(f"{message.method}: {message.fault}")
            case _:
                self._require_no_error(message)

    def _require_no_error(self, message: _OfSession) -> None:
        match message:
            case messages.SymbolError() if message.symbol_id == self._ids.symbol:
                raise self._failure(message.reason)
            case messages.SeriesError() if self._is_own(message):
                raise self._failure(message.reason)
            case messages.CriticalError():
                raise self._failure(message.reason, message.detail)

    def _is_own(
        self, message: messages.SeriesLoading | messages.SeriesCompleted | messages.SeriesError
    ) -> bool:
        return (message.series, message.turnaround) == (self._ids.series, self._ids.turnaround)

    def _require_readable(self, fault: str | None) -> None:
        if fault:
            raise ProtocolViolation(f"a value cannot be read: {fault}")

    def _failure(self, reason: object, detail: object = "") -> PocketQuantError:
        return error_for_reason(self._series, str(reason), str(detail))

    def _take(self, block: Block | None, empties: bool) -> None:
        """Store the bars of a block. A timescale update without bars discards earlier ones."""
        if block is None or block.bars is None:
            return
        if block.turnaround not in (None, self._ids.turnaround):
            return
        if empties and not block.bars:
            self._clear()
        if block.bars:
            self._updates.append(block.columns())
            self._has_volume |= block.has_volume
        if block.newest is not None:
            self._close_time = _bar_end(block.newest.bar_close_time)
        self._bars_sent += len(block.bars)
        if self._bars_sent > _MAX_BARS_SENT:
            raise ProtocolViolation(f"TradingView sent more than {_MAX_BARS_SENT} bars")

    def _clear(self) -> None:
        self._updates.clear()
        self._has_volume = False
        self._close_time = None

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
            close_time=close_time or self._series.interval.period_end(time),
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


def about(series: Series, error: PocketQuantError) -> PocketQuantError:
    """Return the error with the name of the series, which a violation of the protocol lacks."""
    if isinstance(error, ProtocolViolation):
        return ProtocolViolation(f"TradingView on {series}: {error}")
    return error


def _listing(symbol: Symbol, resolved: Resolved) -> Listing:
    return Listing(
        symbol=symbol,
        description=text_or_empty(resolved.description),
        type=text_or_empty(resolved.type),
        currency=text_or_empty(resolved.currency_code),
        timezone=text_or_empty(resolved.timezone),
        session=text_or_empty(resolved.session),
        full_name=text_or_empty(resolved.full_name),
        price_scale=count_or_none(resolved.pricescale),
        min_move=count_or_none(resolved.minmov),
        delay_seconds=count_or_none(resolved.delay) or 0,  # a feed without delay names none
        allowed_adjustment=text_or_empty(resolved.allowed_adjustment),
        hours=calendar_texts(resolved),
        has_adjustment=_bool_or_none(resolved.has_adjustment),
        has_extended_hours=_bool_or_none(resolved.has_extended_hours),
        has_volume="v" in (resolved.visible_plots_set or "ohlcv"),
    )


def count_or_none(value: object) -> int | None:
    """Return a descriptive whole number; None for any other value."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return int(value) if 0 <= value < _MAX_COUNT else None


def _bool_or_none(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _bar_end(close_time: float | None) -> int | None:
    """Return when a bar ends; the last bar of a session announces one second less."""
    if close_time is None:
        return None
    if not EARLIEST_TIME <= close_time <= LATEST_TIME:
        raise ProtocolViolation(f"a value cannot be used: bar_close_time is {close_time}")
    return int(close_time) + (close_time % 60 == 59)
