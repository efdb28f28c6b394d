"""`QuoteLink`: a connection with its session of quotes, and whether it still lives."""

import time
from collections.abc import Callable

from pocketquant.domain.errors import ConnectionLost
from pocketquant.live.recorder import QuoteRecorder
from pocketquant.tradingview.quotes import QuoteSession
from pocketquant.tradingview.socket import Socket

_ANSWER_SECONDS = 5.0


class QuoteLink:
    """One connection from its session's first message on. `clock` gives epoch seconds.

    It is dead when nothing at all has come for `silence_seconds`; or no quote, while a market is
    open and the server, asked for one again, stays silent or tells of trades that it had not told.
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
        self._asked: float | None = None
        self._ticks_since = 0
        self._has_told = False
        self._is_greeted = False
        self._stamp()

    def listen(self, seconds: float) -> None:
        """Take in what comes within that time, and answer it; the session's error, if it ends."""
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
        """ConnectionLost when it is dead: nothing is known of the time since `lost_since`."""
        steady = time.monotonic()
        has_news = self._recorder.has_news()
        if steady - self._heard > self._silence_seconds:
            raise ConnectionLost(f"nothing came for {steady - self._heard:.0f} s")
        if self._asked is not None:
            self._require_answer(steady - self._asked, has_news)
        if has_news:
            self._has_told = True
            self._had_news, self.news_at = steady, self.heard_at
        elif steady - self._had_news > self._silence_seconds and self._asked is None:
            self._ask_again(steady)

    @property
    def lost_since(self) -> float:
        """From when on nothing is known, should this connection be dead now."""
        return self.heard_at if self._asked is None else self.news_at

    @property
    def has_told(self) -> bool:
        """Whether any quote has come."""
        return self._has_told

    @property
    def is_drained(self) -> bool:
        """Whether all that had come was taken in when it was listened to last."""
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
        """Begin now, by the clock that the greeting may just have set."""
        self.opened_at = self.heard_at = self.news_at = self.drained_at = self._clock()

    def _send(self) -> None:
        for call in self._session.outgoing():
            self._socket.send(call)

    def _ask_again(self, steady: float) -> None:
        symbol = self._session.open_market
        if not self._has_told and self._session.awaited:
            raise ConnectionLost("no quotes came, although they were asked for")
        if symbol is not None:
            self._session.ask_again(symbol)
            self._asked, self._ticks_since = steady, 0

    def _require_answer(self, waited_seconds: float, has_news: bool) -> None:
        if self._ticks_since:
            raise ConnectionLost("trades were not told of")
        if not has_news and waited_seconds > _ANSWER_SECONDS:
            raise ConnectionLost("no quotes came, not even when asked for")
        if has_news:
            self._asked = None
