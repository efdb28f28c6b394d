"""History through the tvdatafeed library, driven over our own socket.

The library makes the calls: sign on, open a chart session, resolve the symbol, create the series.
What it takes for its WebSocket is a `_Conversation` of ours, for left alone it sends quote flags
that the server refuses, answers no heartbeat, can wait for ever, turns every failure into None,
reads and writes a token file, and looks for bars by text search. So here the quote calls are
dropped, `HistorySession` reads the answer, and what goes wrong is kept and raised again.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import NoReturn

import tvDatafeed

from pocketquant.domain.errors import BadToken, ConnectionLost, ProviderFault
from pocketquant.domain.intervals import Interval
from pocketquant.domain.syncs import History, SyncRequest
from pocketquant.tradingview import messages
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.frames import FrameDecoder
from pocketquant.tradingview.history import HistorySession
from pocketquant.tradingview.socket import OpenSockets

_INTERVALS = {
    Interval.M1: tvDatafeed.Interval.in_1_minute,
    Interval.M3: tvDatafeed.Interval.in_3_minute,
    Interval.M5: tvDatafeed.Interval.in_5_minute,
    Interval.M15: tvDatafeed.Interval.in_15_minute,
    Interval.M30: tvDatafeed.Interval.in_30_minute,
    Interval.M45: tvDatafeed.Interval.in_45_minute,
    Interval.H1: tvDatafeed.Interval.in_1_hour,
    Interval.H2: tvDatafeed.Interval.in_2_hour,
    Interval.H3: tvDatafeed.Interval.in_3_hour,
    Interval.H4: tvDatafeed.Interval.in_4_hour,
    Interval.D1: tvDatafeed.Interval.in_daily,
    Interval.W1: tvDatafeed.Interval.in_weekly,
    Interval.MONTH: tvDatafeed.Interval.in_monthly,
}

# The library logs every failure before it swallows it; ours is raised, and logged where it ends.
logging.getLogger("tvDatafeed").setLevel(logging.CRITICAL)


class TvDatafeedHistory:
    """Fetches the history of series, one connection each. Any number of threads may share it."""

    def __init__(self, url: str, account: Account, timeout_seconds: float) -> None:
        self._url = url
        self._account = account
        self._timeout_seconds = timeout_seconds
        self._sockets = OpenSockets()

    def hang_up(self) -> None:
        """End every fetch in progress with ConnectionLost, and each one that follows."""
        self._sockets.hang_up()

    def fetch(self, request: SyncRequest) -> History:
        """The newest bars of a series. Signing in and connecting share the one deadline.

        A token that TradingView refuses is replaced by a new one, once, where there is one.
        """
        deadline = time.monotonic() + self._timeout_seconds
        token = self._account.token()
        try:
            return self._converse(request, token, deadline)
        except BadToken:
            self._account.forget(token)
            fresh = self._account.token()
            if fresh == token:
                raise
        return self._converse(request, fresh, deadline)

    def _converse(self, request: SyncRequest, token: str, deadline: float) -> History:
        conversation = _Conversation(self._url, request, deadline, self._sockets)
        symbol = request.series.symbol
        _Library(token, conversation).get_hist(
            symbol.ticker, symbol.exchange, _INTERVALS[request.series.interval], request.n_bars
        )
        return conversation.history()


class _Library(tvDatafeed.TvDatafeed):
    """The library, with its token handed in and its socket replaced. Cheap: one for each fetch."""

    def __init__(self, token: str, conversation: "_Conversation") -> None:
        self._handed_token = token
        self._conversation = conversation
        super().__init__(token_cache_file=os.devnull)

    def _load_token(self) -> str:
        return self._handed_token

    def _websocket_connection(  # type: ignore[override]  # of a WebSocket it uses send and recv
        self,
    ) -> "AbstractContextManager[_Conversation]":
        return self._conversation.opened()


class _Conversation:
    """What the library takes for its WebSocket; keeps the history, or what went wrong."""

    def __init__(
        self, url: str, request: SyncRequest, deadline: float, sockets: OpenSockets
    ) -> None:
        self._url = url
        self._request = request
        self._deadline = deadline
        self._sockets = sockets
        self._history: History | None = None
        self._error: BaseException | None = None

    def history(self) -> History:
        """The answer, once the library is through; or the error that it has swallowed."""
        if self._error is not None:
            raise self._error
        if self._history is None:
            raise ProviderFault("tvdatafeed gave up without an error")
        return self._history

    @contextmanager
    def opened(self) -> Iterator["_Conversation"]:
        with self._kept(), self._sockets.open_socket(self._url, self._deadline) as opened:
            self._socket = opened
            yield self

    def send(self, frame: str) -> None:
        """Pass a call of the library on, unless it is about quotes, which bars do not need."""
        (payload,) = FrameDecoder().feed(frame)
        method, params = messages.read_call(payload)
        if method.startswith("quote_"):
            return
        if method == "create_series":
            self._session = HistorySession(self._request, *params[:4])
        self._pass_on(frame)

    def recv(self) -> NoReturn:
        """Converse until the session is over; then the library is told that there is no more.

        So it parses nothing and gives None, which nobody looks at.
        """
        with self._kept():
            while not self._session.is_over:
                self._session.receive(self._socket.receive())
                for echo in self._session.outgoing():
                    self._pass_on(echo)
            self._history = self._session.result()
        raise EOFError("the history is complete")

    def _pass_on(self, frame: str) -> None:
        """Send, though the server may have hung up: why, is in what can still be received."""
        with suppress(ConnectionLost):
            self._socket.send(frame)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._error = error
            raise
