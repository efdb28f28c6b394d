"""Dialing beside the loop, so that a provider that is slow to answer holds nothing up."""

import random
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

import structlog

from pocketquant.domain.errors import PocketQuantError
from pocketquant.tradingview import socket
from pocketquant.tradingview.account import Account

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """An open connection, and the token to begin its session with."""

    socket: socket.Socket
    token: str


class Dialing:
    """Opens connections to the provider, one attempt at a time, each in a thread of its own."""

    def __init__(self, url: str, account: Account, seconds: float) -> None:
        self._url = url
        self._account = account
        self._seconds = seconds
        self._answers: SimpleQueue[Line | PocketQuantError] | None = None
        self._is_over = False
        self._refused: str | None = None
        self._has_replaced = False

    def refuse(self, token: str) -> None:
        """Sign in again, once until a token is accepted: TradingView has refused this one."""
        if not self._has_replaced:
            self._refused, self._has_replaced = token, True

    def accept(self) -> None:
        """The token that was dialed with is good."""
        self._has_replaced = False

    def begin(self) -> None:
        """Dial, unless that is under way."""
        if self._answers is None:
            self._answers = SimpleQueue()
            Thread(target=self._dial, args=(self._answers,), name="dialing", daemon=True).start()

    def answer(self, seconds: float) -> Line | None:
        """The connection, or the error in place of it; None where neither comes in time."""
        if self._answers is None:
            return None
        try:
            answer = self._answers.get(timeout=max(seconds, 0.001))
        except Empty:
            return None
        self._answers = None
        if isinstance(answer, PocketQuantError):
            raise answer
        return answer

    def end(self) -> None:
        """Hang up on whoever answers from now on."""
        self._is_over = True

    def _dial(self, answers: "SimpleQueue[Line | PocketQuantError]") -> None:
        try:
            if self._refused is not None:
                self._account.forget(self._refused)
                self._refused = None
            token = self._account.token()
            answered = socket.dial(self._url, time.monotonic() + self._seconds)
            if self._is_over:
                answered.hang_up()
            answers.put(Line(answered, token))
        except PocketQuantError as error:
            answers.put(error)
        except Exception as error:  # noqa: BLE001  # a defect must not end the dialing for good
            _log.exception("dialing_failed")
            answers.put(PocketQuantError(f"{type(error).__name__} while dialing"))


def pause_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row: from 1 s to 60 s, with jitter."""
    shortest = _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10)
    return min(shortest * random.uniform(1.0, 1.5), _LONGEST_PAUSE_SECONDS)  # noqa: S311  # jitter
