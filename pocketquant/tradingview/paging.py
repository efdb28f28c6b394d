"""Fetches the pages of a series over a kept connection, with `ChartSession`."""

import secrets
import time
from collections.abc import Generator
from dataclasses import dataclass

from pocketquant.domain.syncs import History, Page, SyncRequest
from pocketquant.tradingview.chart_session import ChartSession
from pocketquant.tradingview.connections import Connection, Connections
from pocketquant.tradingview.signed_in import SignedIn
from pocketquant.tradingview.tvdatafeed import TvDatafeedHistory

_SESSIONS = 2  # a chart session and a quote session


class PagedHistory(SignedIn):
    """Fetches bars of any age, each range over one connection. Safe to share between threads."""

    def pages(self, request: SyncRequest, oldest: int | None) -> Generator[Page]:
        """Yield the pages of a range from new to old, each fetched when it is asked for.

        With `oldest`, the first one ends with that bar. Each may take the whole time-out, the first
        one with sign-in and handshake. Closing the iterator gives the connection back.
        """
        connection, session = self._open(request, oldest)
        try:
            while (page := session.page) is not None:
                yield page
                if page.stop is not None:
                    return
                deadline = self._deadline()
                connection.wait_until(deadline)
                session.next_page(deadline)
                _receive_page(session, connection)
        finally:
            _end(session, connection)
            self._connections.give_back(connection)

    def _open(self, request: SyncRequest, oldest: int | None) -> tuple[Connection, ChartSession]:
        """Return a session that has its first page, and its connection, to be given back."""
        deadline = self._deadline()

        def open_session(connection: Connection, token: str) -> ChartSession:
            name, today = secrets.token_hex(6), int(time.time())
            new_token = None if connection.token == token else token
            connection.token = token
            session = ChartSession(request, new_token, name, deadline, today, oldest)
            try:
                _receive_page(session, connection)
            except BaseException:  # an interrupted fetch leaves its session deleted too
                _end(session, connection)
                raise
            return session

        return self._begin(open_session, deadline, _SESSIONS)


def _receive_page(session: ChartSession, connection: Connection) -> None:
    """Send and receive until the session has a page; raise its error."""
    while session.page is None:
        _send(session, connection)
        received = connection.receive()
        if received is not None:
            session.receive(received)
        session.check(time.monotonic())
        if session.error is not None:
            raise session.error


def _end(session: ChartSession, connection: Connection) -> None:
    """Delete the session if the connection can serve another."""
    connection.is_broken |= session.ends_connection
    is_complete = session.page is not None or session.error is not None
    if is_complete and session.leaves_connection_usable and not connection.is_broken:
        session.delete()
        connection.free(session.outgoing())


def _send(session: ChartSession, connection: Connection) -> None:
    for text in session.outgoing():
        connection.send(text)


@dataclass(frozen=True, slots=True)
class TradingView:
    """TradingView as the source of history: `newest` bars, and ranges in pages."""

    connections: Connections
    newest: TvDatafeedHistory
    paged: PagedHistory

    def fetch(self, request: SyncRequest) -> History:
        """Return the newest `n_bars` bars of the series."""
        return self.newest.fetch(request)

    def pages(self, request: SyncRequest, oldest: int | None) -> Generator[Page]:
        """Yield the pages of a range from new to old, each fetched when it is asked for."""
        return self.paged.pages(request, oldest)

    def hang_up(self) -> None:
        """End all fetches, in progress and later ones, with ConnectionLost."""
        self.connections.hang_up()
