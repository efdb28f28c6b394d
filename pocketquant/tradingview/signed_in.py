"""`SignedIn`: begins fetches over kept connections, each with the token of an account."""

import time
from collections.abc import Callable
from typing import TypeVar

from pocketquant.domain.errors import Unavailable
from pocketquant.tradingview.account import Account, plan_of
from pocketquant.tradingview.connections import Connection, Connections, Need

Result = TypeVar("Result")


class SignedIn:
    """A source that signs in; the base of those that fetch. Safe to share between threads."""

    def __init__(
        self,
        connections: Connections,
        account: Account,
        timeout_seconds: float,
        is_urgent: bool = False,
    ) -> None:
        self._connections = connections
        self._account = account
        self._timeout_seconds = timeout_seconds
        self._is_urgent = is_urgent

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_seconds

    def _begin(
        self, work: Callable[[Connection, str], Result], deadline: float, sessions: int
    ) -> tuple[Connection, Result]:
        """Return the result of `work` with a connection and a token, as `Connections.begin`.

        If TradingView refuses the token, one retry uses a new one, if there is one.
        """
        return self._account.authorized(
            lambda token: self._connections.begin(
                lambda connection: work(connection, token), self._need(deadline, sessions, token)
            )
        )

    def _repeat(
        self,
        work: Callable[[Connection, str], Result],
        deadline: float,
        sessions: int,
        broken: Connection,
        error: Unavailable,
    ) -> tuple[Connection, Result]:
        """Return the same with a new connection in the place of a broken one, if it is broken."""
        return self._account.authorized(
            lambda token: self._connections.repeat(
                lambda connection: work(connection, token),
                self._need(deadline, sessions, token),
                broken,
                error,
            )
        )

    def _need(self, deadline: float, sessions: int, token: str) -> Need:
        return Need(deadline, self._is_urgent, sessions, plan_of(token).most_connections)
