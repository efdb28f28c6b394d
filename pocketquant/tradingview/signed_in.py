"""`SignedIn`: begins fetches over kept connections, each with the token of an account."""

import time
from collections.abc import Callable
from typing import TypeVar

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
                lambda connection: work(connection, token),
                Need(deadline, self._is_urgent, sessions, plan_of(token).most_connections),
            )
        )
