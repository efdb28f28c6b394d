"""Fetches history with the tvdatafeed library over PocketQuant's own connections.

The library makes the calls: authorize, open a chart session, resolve the symbol, create the series.
By itself it sends quote calls that the server refuses, answers no heartbeat, can wait for ever,
turns every failure into None, reads and writes a token file, and finds bars by text search.
`_Conversation` takes the place of its WebSocket: it drops the quote calls, and the token if the
connection has it, writes the variant into the symbol's text, reads the messages with
`HistorySession`, deletes the chart session, and raises the errors that the library swallows.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NoReturn

import tvDatafeed

from pocketquant.domain.errors import ProviderFault
from pocketquant.domain.intervals import Interval
from pocketquant.domain.syncs import History, SyncRequest
from pocketquant.tradingview import messages
from pocketquant.tradingview.connections import Connection
from pocketquant.tradingview.frames import FrameDecoder
from pocketquant.tradingview.history import HistorySession
from pocketquant.tradingview.signed_in import SignedIn
from pocketquant.tradingview.symbol_texts import symbol_text
from pocketquant.tradingview.timed_socket import too_late

_SESSIONS = 1  # a chart session; the quote session of the library is not made

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

# The library logs each failure; ours is raised and logged by its caller.
logging.getLogger("tvDatafeed").setLevel(logging.CRITICAL)


class TvDatafeedHistory(SignedIn):
    """Fetches history over kept connections. Safe to share between threads."""

    def fetch(self, request: SyncRequest) -> History:
        """Return the newest bars of a series, within one deadline for sign-in and connection."""
        connection, history = self._begin(
            lambda connection, token: _converse(connection, request, token),
            self._deadline(),
            _SESSIONS,
        )
        self._connections.give_back(connection)
        return history


def _converse(connection: Connection, request: SyncRequest, token: str) -> History:
    conversation = _Conversation(connection, request)
    symbol = request.series.symbol
    _Library(token, conversation).get_hist(
        symbol.ticker, symbol.exchange, _INTERVALS[request.series.interval], request.n_bars
    )
    return conversation.history()


class _Library(tvDatafeed.TvDatafeed):
    """The library with our token and our socket; each fetch makes a new one, which is cheap."""

    def __init__(self, token: str, conversation: "_Conversation") -> None:
        self._our_token = token
        self._conversation = conversation
        super().__init__(token_cache_file=os.devnull)

    def _load_token(self) -> str:
        return self._our_token

    def _websocket_connection(  # type: ignore[override]  # the library only calls send and recv
        self,
    ) -> "AbstractContextManager[_Conversation]":
        return self._conversation.opened()


class _Conversation:
    """Acts as the library's WebSocket; stores the history, or the error."""

    def __init__(self, connection: Connection, request: SyncRequest) -> None:
        self._connection = connection
        self._request = request
        self._history: History | None = None
        self._error: BaseException | None = None

    def history(self) -> History:
        """Return the history after the library's call, or raise the error that it swallowed."""
        if self._error is not None:
            raise self._error
        if self._history is None:
            raise ProviderFault("tvdatafeed gave up without an error")
        return self._history

    @contextmanager
    def opened(self) -> Iterator["_Conversation"]:
        with self._storing_error():
            yield self

    def send(self, frame: str) -> None:
        """Send a call of the library, unless it is about quotes, which bars do not need.

        A token that the connection has is not sent again. The library knows no variant but extended
        hours, so the symbol's text is ours.
        """
        (payload,) = FrameDecoder().feed(frame)
        method, params = messages.read_call(payload)
        if method.startswith("quote_"):
            return
        if method == "set_auth_token":
            if params == [self._connection.token]:
                return
            (self._connection.token,) = params
        if method == "resolve_symbol":
            text = symbol_text(self._request.series.symbol)
            frame = messages.call(method, *params[:2], text)
        if method == "create_series":
            self._session = HistorySession(self._request, *params[:4])
            self._chart = params[0]
        self._connection.send(frame)

    def recv(self) -> NoReturn:
        """Receive until the session is over, then raise EOFError.

        The library then parses nothing and returns None, which is ignored.
        """
        with self._storing_error():
            while not self._session.is_over:
                text = self._connection.receive()
                if text is None:
                    raise too_late()
                self._session.receive(text)
                for echo in self._session.outgoing():
                    self._connection.send(echo)
            self._release()
            self._history = self._session.result()
        raise EOFError("the history is complete")

    def _release(self) -> None:
        """Delete the chart session, if the connection can serve another."""
        self._connection.is_broken |= self._session.ends_connection
        if self._session.leaves_connection_usable:
            self._connection.free([messages.call("chart_delete_session", self._chart)])

    @contextmanager
    def _storing_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._error = error
            raise
