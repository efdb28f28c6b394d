"""`QuoteFeed`: changed quotes for all who listen in this process, over one Redis subscription.

A listener holds the newest quote of each of its symbols until it takes it: who is slow misses what
lay between, and nothing piles up.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any

import redis
import structlog

from pocketquant.cache.board import QuoteBoard
from pocketquant.cache.board_records import CHANNEL_PREFIX, channel
from pocketquant.presence.repeating import Loop, Loops

_LOOK_SECONDS = 0.1  # how soon a new listener is noticed
_PAUSE_SECONDS = 1.0  # after a failure of Redis

_log = structlog.get_logger(__name__)


class Listener:
    """Somebody who listens for some symbols."""

    def __init__(self, symbols: Collection[str]) -> None:
        self.symbols = frozenset(symbols)
        self._lock = Lock()
        self._newest: dict[str, bytes] = {}
        self._pending: dict[str, bytes] = {}
        self._bell = Event()

    def offer(self, symbol: str, quote: bytes) -> None:
        """The newest quote of the symbol; the same one again is nothing new."""
        with self._lock:
            if self._newest.get(symbol) != quote:
                self._newest[symbol] = self._pending[symbol] = quote
                self._bell.set()

    def take(self, timeout_seconds: float) -> list[bytes]:
        """What has changed since it was last asked, as soon as something has."""
        self._bell.wait(timeout_seconds)
        with self._lock:
            self._bell.clear()
            pending, self._pending = self._pending, {}
        return list(pending.values())


class QuoteFeed:
    """The listeners of this process; its loop and its subscription live while there are any."""

    def __init__(self, cache: redis.Redis, board: QuoteBoard, loops: Loops) -> None:
        self._redis = cache
        self._board = board
        self._loops = loops
        self._lock = Lock()
        self._listeners: dict[str, set[Listener]] = {}
        self._arrived: set[str] = set()  # symbols that somebody has just begun to listen for
        self._is_running = False

    @contextmanager
    def listening(self, symbols: Collection[str]) -> Iterator[Listener]:
        """A listener that is offered the latest quotes first, and then each that changes."""
        listener = Listener(symbols)
        self._add(listener)
        try:
            yield listener
        finally:
            self._remove(listener)

    def _add(self, listener: Listener) -> None:
        with self._lock:
            for symbol in listener.symbols:
                self._listeners.setdefault(symbol, set()).add(listener)
            self._arrived |= listener.symbols
            if not self._is_running:
                self._is_running = True
                self._loops.begin("quote-feed", self._listen)

    def _remove(self, listener: Listener) -> None:
        with self._lock:
            for symbol in listener.symbols:
                listeners = self._listeners[symbol]
                listeners.discard(listener)
                if not listeners:
                    del self._listeners[symbol]

    def _listen(self, loop: Loop) -> None:
        if not self._has_listeners(loop):
            return
        try:
            with self._redis.pubsub() as ear:  # type: ignore[no-untyped-call]  # redis-py
                self._follow(ear, loop)
        except redis.RedisError as error:
            _log.warning("quote_feed_lost", cause=str(error))
            loop.wait(_PAUSE_SECONDS)

    def _has_listeners(self, loop: Loop) -> bool:
        """Without any the loop ends; the next listener begins another."""
        with self._lock:
            self._is_running = bool(self._listeners)
            self._arrived = set(self._listeners)
            if not self._is_running:
                loop.stop()
            return self._is_running

    def _follow(self, ear: "redis.client.PubSub", loop: Loop) -> None:
        """Pass on what is heard, until nobody listens.

        A quote is shown once its channel is known to be heard, so that no change is missed in
        between; also when the connection was lost and all channels are subscribed again.
        """
        heard: set[str] = set()
        while True:
            wanted, arrived = self._wanted()
            if not wanted:
                return
            _subscribe(ear, wanted - heard, heard - wanted)
            to_show = arrived & heard
            heard = wanted
            for message in _messages(ear):
                symbol = message["channel"].decode().removeprefix(CHANNEL_PREFIX)
                if message["type"] == "message":
                    self._offer(symbol, message["data"])
                elif message["type"] == "subscribe":
                    to_show.add(symbol)
            for symbol, quote in self._board.latest_of(sorted(to_show)).items():
                self._offer(symbol, quote)
            loop.note_success()

    def _wanted(self) -> tuple[set[str], set[str]]:
        with self._lock:
            arrived, self._arrived = self._arrived, set()
            return set(self._listeners), arrived

    def _offer(self, symbol: str, quote: bytes) -> None:
        with self._lock:
            listeners = tuple(self._listeners.get(symbol, ()))
        for listener in listeners:
            listener.offer(symbol, quote)


def _messages(ear: "redis.client.PubSub") -> Iterator[dict[str, Any]]:
    """Those of the next moment, each as it comes.

    Never with a time-out of zero: where half a message has come, redis-py takes that for a failure.
    """
    ends_at = time.monotonic() + _LOOK_SECONDS
    while time.monotonic() < ends_at:
        message = ear.get_message(timeout=_LOOK_SECONDS)
        if message is not None:
            yield message


def _subscribe(ear: "redis.client.PubSub", begun: set[str], ended: set[str]) -> None:
    if begun:
        ear.subscribe(*map(channel, begun))
    if ended:
        ear.unsubscribe(*map(channel, ended))  # type: ignore[no-untyped-call]  # redis-py
