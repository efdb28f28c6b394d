"""Fetches the pages of a series over PocketQuant's own socket, with `ChartSession`."""

import secrets
import time
from collections.abc import Generator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from pocketquant.domain.errors import ConnectionLost
from pocketquant.domain.syncs import History, Page, SyncRequest
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.chart_session import ChartSession
from pocketquant.tradingview.socket import DeadlineSocket, OpenSockets
from pocketquant.tradingview.tvdatafeed import TvDatafeedHistory


class PagedHistory:
    """Fetches bars of any age, with one connection for each series. Safe to share between
    threads."""

    def __init__(self, url: str, account: Account, timeout_seconds: float) -> None:
        self._url = url
        self._account = account
        self._timeout_seconds = timeout_seconds
        self._sockets = OpenSockets()

    def hang_up(self) -> None:
        """End all fetches, in progress and later ones, with ConnectionLost."""
        self._sockets.hang_up()

    def pages(self, request: SyncRequest, oldest: int | None) -> Generator[Page]:
        """Yield the pages of a range from new to old, each fetched when it is asked for.

        With `oldest`, the first one ends with that bar. Each may take the whole time-out, the first
        one with sign-in and handshake. Closing the iterator closes the connection.
        """
        with ExitStack() as stack:
            deadline = self._deadline()

            def begin(token: str) -> tuple[ChartSession, DeadlineSocket]:
                opened = stack.enter_context(self._sockets.open_socket(self._url, deadline))
                opened.outlast_deadline()
                name, today = secrets.token_hex(6), int(time.time())
                session = ChartSession(request, token, name, deadline, today, oldest)
                _receive_page(session, opened)
                return session, opened

            session, opened = self._account.authorized(begin)
            while (page := session.page) is not None:
                yield page
                if page.stop is not None:
                    return
                session.next_page(self._deadline())
                _receive_page(session, opened)

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_seconds


def _receive_page(session: ChartSession, opened: DeadlineSocket) -> None:
    """Send and receive until the session has a page; raise its error."""
    while session.page is None:
        with suppress(ConnectionLost):  # the server's reason may still be waiting to be received
            for text in session.outgoing():
                opened.send(text)
        received = opened.receive_within(session.deadline - time.monotonic())
        if received is not None:
            session.receive(received)
        session.check(time.monotonic())
        if session.error is not None:
            raise session.error


@dataclass(frozen=True, slots=True)
class TradingView:
    """TradingView as the source of history: `newest` bars, and ranges in pages."""

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
        self.newest.hang_up()
        self.paged.hang_up()
