"""`Dialer`: connects in a thread, so that a slow provider does not hold up the loop.

Each connection waits for the turn of a handshake, as those of workers do, but before them.
"""

import random
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from secrets import token_hex
from threading import Event, Thread

import structlog

from pocketquant.domain.errors import PocketQuantError, RateLimited
from pocketquant.tradingview import socket
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.connections import HandshakePace, dial_counted

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dialed:
    """An open connection, and the auth token for its session."""

    socket: socket.Socket
    token: str


class Dialer:
    """Opens connections to the provider, one attempt at a time, each in its own thread."""

    def __init__(self, url: str, account: Account, seconds: float, pace: HandshakePace) -> None:
        """Each handshake may take so many seconds, after its turn has come."""
        self._pace = pace
        self._url = url
        self._account = account
        self._seconds = seconds
        self._results: SimpleQueue[Dialed | PocketQuantError] | None = None
        self._ending = Event()
        self._refused: str | None = None
        self._has_replaced = False

    def refuse(self, token: str) -> None:
        """TradingView refused this token: sign in again, once until a token is accepted."""
        if not self._has_replaced:
            self._refused, self._has_replaced = token, True

    def accept(self) -> None:
        """TradingView accepted the token."""
        self._has_replaced = False

    def begin(self) -> None:
        """Start to dial, unless an attempt is under way."""
        if self._results is None:
            self._results = SimpleQueue()
            Thread(target=self._dial, args=(self._results,), name="dialing", daemon=True).start()

    def result(self, seconds: float) -> Dialed | None:
        """The connection, or None if it does not come in time. Raises the error of the attempt."""
        if self._results is None:
            return None
        try:
            result = self._results.get(timeout=max(seconds, 0.001))
        except Empty:
            return None
        self._results = None
        if isinstance(result, PocketQuantError):
            raise result
        return result

    def end(self) -> None:
        """Hang up connections that open from now on."""
        self._ending.set()

    def _dial(self, results: "SimpleQueue[Dialed | PocketQuantError]") -> None:
        try:
            if self._refused is not None:
                self._account.forget(self._refused)
                self._refused = None
            token = self._account.token()
            opened = self._open()
            if self._ending.is_set():
                opened.hang_up()
            results.put(Dialed(opened, token))
        except PocketQuantError as error:
            results.put(error)
        except Exception as error:  # noqa: BLE001  # a defect must not stop all further attempts
            _log.exception("dialing_failed")
            results.put(PocketQuantError(f"{type(error).__name__} while dialing"))

    def _open(self) -> socket.Socket:
        name = token_hex(8)
        while (seconds := self._pace.take(name, True, None)) > 0 and not self._ending.is_set():
            self._ending.wait(seconds)
        try:
            return dial_counted(self._url, time.monotonic() + self._seconds)
        except RateLimited:
            self._pace.refused()
            raise
        finally:
            self._pace.closed(name)  # the count is of workers' connections


def pause_seconds(failures: int) -> float:
    """The pause after this many failures in a row: from 1 s to 60 s, with jitter."""
    shortest = _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10)
    return min(shortest * random.uniform(1.0, 1.5), _LONGEST_PAUSE_SECONDS)  # noqa: S311  # jitter
