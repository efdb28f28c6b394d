"""Asks TradingView when its history of symbols begins, over PocketQuant's own socket."""

import secrets
from collections.abc import Collection

from pocketquant.domain.backfills import Beginning
from pocketquant.domain.symbols import Symbol
from pocketquant.tradingview.beginning_session import BeginningSession
from pocketquant.tradingview.connections import Connection
from pocketquant.tradingview.signed_in import SignedIn


class Beginnings(SignedIn):
    """One connection for all symbols of a call. Safe to share between threads."""

    def find(self, symbols: Collection[Symbol]) -> dict[Symbol, Beginning]:
        """Return the beginnings that arrive in time; failures raise typed errors.

        TurnFarOff if the turn of the handshake does not come in time.
        """
        connection, found = self._begin(
            lambda connection, token: _find(symbols, connection, token), self._deadline(), 1
        )
        self._connections.give_back(connection)
        return found


def _find(
    symbols: Collection[Symbol], connection: Connection, token: str
) -> dict[Symbol, Beginning]:
    session = BeginningSession(symbols, token, secrets.token_hex(6))
    while not session.is_over:
        for text in session.outgoing():
            connection.send(text)
        received = connection.receive()
        if received is None:
            break
        session.receive(received)
        if session.error is not None:
            raise session.error
    return session.found
