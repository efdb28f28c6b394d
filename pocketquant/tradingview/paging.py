"""Fetches the pages of a series over a kept connection, with `ChartSession`."""

import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

from pocketquant.domain.errors import Unavailable
from pocketquant.domain.syncs import History, Page, SyncRequest
from pocketquant.tradingview.chart_session import ChartSession
from pocketquant.tradingview.connections import Connection, Connections
from pocketquant.tradingview.signed_in import SignedIn
from pocketquant.tradingview.tvdatafeed import TvDatafeedHistory

_SESSIONS = 2  # a chart session and a quote session

_Opening = Callable[[Connection, str], ChartSession]


class PagedHistory(SignedIn):
    """Fetches bars of any age, each range over one connection. Safe to share between threads."""

    def pages(self, request: SyncRequest, oldest: int | None) -> Generator[Page]:
        """Yield the pages of a range from new to old, each fetched when it is asked for.

        With `oldest`, the first one ends with that bar. Each may take the whole time-out, the first
        one with sign-in and handshake. If the connection breaks, the page is fetched once more on a
        new one, from the oldest bar on that was yielded. Closing the iterator gives the connection
        back.
        """
        deadline = self._deadline()
        begin: Callable[[_Opening, float, int], tuple[Connection, ChartSession]] = self._begin
        while True:
            connection, session = begin(_opening(request, deadline, oldest), deadline, _SESSIONS)
            broken: Unavailable | None = None
            try:
                while broken is None and (page := session.page) is not None:
                    yield page
                    if page.stop is not None:
                        return
                    deadline, before = self._deadline(), oldest
                    oldest = _older(oldest, page.history.closed.first_time)
                    try:
                        connection.wait_until(deadline)
                        session.next_page(deadline)
                        _receive_page(session, connection)
                    except Unavailable as error:
                        connection.is_broken |= session.ends_connection
                        if oldest == before:  # the page before brought no older bar either
                            raise
                        broken = error
            finally:
                _end(session, connection)
                self._connections.give_back(connection)
            if broken is None:
                return
            begin = partial(self._repeat, broken=connection, error=broken)


def _opening(request: SyncRequest, deadline: float, oldest: int | None) -> _Opening:
    """Return the work that opens a session on a connection and receives its first page."""

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

    return open_session


def _older(time: int | None, other: int | None) -> int | None:
    return min((each for each in (time, other) if each is not None), default=None)


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
