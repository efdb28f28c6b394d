"""Asks TradingView when its history of symbols begins, over PocketQuant's own socket."""

import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass

from pocketquant.domain.backfills import Beginning
from pocketquant.domain.symbols import Symbol
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.beginning_session import BeginningSession
from pocketquant.tradingview.socket import open_socket


@dataclass(frozen=True, slots=True)
class Beginnings:
    """One connection for all symbols of a call. Safe to share between threads."""

    url: str
    account: Account
    timeout_seconds: float

    def find(self, symbols: Collection[Symbol]) -> dict[Symbol, Beginning]:
        """Return the beginnings that arrive in time; failures raise typed errors."""
        deadline = time.monotonic() + self.timeout_seconds
        return self.account.authorized(lambda token: self._find(symbols, token, deadline))

    def _find(
        self, symbols: Collection[Symbol], token: str, deadline: float
    ) -> dict[Symbol, Beginning]:
        session = BeginningSession(symbols, token, secrets.token_hex(6))
        with open_socket(self.url, deadline) as opened:
            while not session.is_over:
                for text in session.outgoing():
                    opened.send(text)
                received = opened.receive_within(deadline - time.monotonic())
                if received is None:
                    break
                session.receive(received)
                if session.error is not None:
                    raise session.error
        return session.found
