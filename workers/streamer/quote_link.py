"""`QuoteLink`: a connection with its quote session, and the decision whether it is alive."""

import time
from collections.abc import Callable

from pocketquant.domain.errors import ConnectionLost
from pocketquant.live.recorder import QuoteRecorder
from pocketquant.tradingview.quotes import QuoteSession
from pocketquant.tradingview.socket import Socket

_REPLY_SECONDS = 5.0


class QuoteLink:
    """One connection with its session. `clock` gives epoch seconds.

    The connection is dead if nothing comes for `silence_seconds`. If no quote comes for that time
    while a market is open, a quote is requested again: the connection is dead if none comes in
    5 s, or if it shows trades that were not sent.
    """

    def __init__(
        self,
        socket: Socket,
        session: QuoteSession,
        recorder: QuoteRecorder,
        silence_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._socket = socket
        self._session = session
        self._recorder = recorder
        self._silence_seconds = silence_seconds
        self._clock = clock
        self._heard = self._had_news = time.monotonic()
        self._requested_at: float | None = None
        self._ticks_since = 0
        self.has_quotes = False  # since the connection was opened
        self._is_greeted = False
        self._stamp()

    def listen(self, seconds: float) -> None:
        """Read and answer texts for `seconds`. Raises the session's error if one ends it."""
        until = time.monotonic() + seconds
        self._send()
        while True:
            left = until - time.monotonic()
            text = self._socket.receive_within(max(left, 0.0))
            if text is None:
                self.drained_at = self._clock()
                return
            self._take(text)
            if left <= 0:
                return

    def require_life(self) -> None:
        """Raise ConnectionLost if the connection is dead; `lost_since` then begins the gap."""
        steady = time.monotonic()
        has_news = self._recorder.has_news()
        if steady - self._heard > self._silence_seconds:
            raise ConnectionLost(f"nothing came for {steady - self._heard:.0f} s")
        if self._requested_at is not None:
            self._require_reply(steady - self._requested_at, has_news)
        if has_news:
            self.has_quotes = True
            self._had_news, self.news_at = steady, self.heard_at
        elif steady - self._had_news > self._silence_seconds and self._requested_at is None:
            self._request_again(steady)

    @property
    def lost_since(self) -> float:
        """The time since which quotes may be missing, if the connection is dead now."""
        return self.heard_at if self._requested_at is None else self.news_at

    @property
    def is_drained(self) -> bool:
        """Whether the last `listen` read all texts that had come."""
        return self.drained_at >= self.heard_at

    def hang_up(self) -> None:
        self._socket.hang_up()

    def _take(self, text: str) -> None:
        self.heard_at, self._heard = self._clock(), time.monotonic()
        self._ticks_since += self._recorder.receive(text, self.heard_at)
        if not self._is_greeted:
            self._is_greeted = True
            self._stamp()
        if self._session.error is not None:
            raise self._session.error
        self._send()

    def _stamp(self) -> None:
        """Set all times to now: the first text may have set the clock."""
        self.opened_at = self.heard_at = self.news_at = self.drained_at = self._clock()

    def _send(self) -> None:
        for call in self._session.outgoing():
            self._socket.send(call)

    def _request_again(self, steady: float) -> None:
        symbol = self._session.open_market
        if not self.has_quotes and self._session.awaited:
            raise ConnectionLost("no quotes came, although they were asked for")
        if symbol is not None:
            self._session.ask_again(symbol)
            self._requested_at, self._ticks_since = steady, 0

    def _require_reply(self, waited_seconds: float, has_news: bool) -> None:
        if self._ticks_since:
            raise ConnectionLost("trades were not sent")
        if not has_news and waited_seconds > _REPLY_SECONDS:
            raise ConnectionLost("no quotes came, not even when asked for")
        if has_news:
            self._requested_at = None
