"""`QuoteFeed`: passes changed quotes from one Redis subscription to this process's listeners.

A listener keeps only the newest quote of each symbol, so a slow one misses the quotes in between
and its memory does not grow.
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

_POLL_SECONDS = 0.1  # how soon a new listener is noticed
_PAUSE_SECONDS = 1.0  # after a failure of Redis

_log = structlog.get_logger(__name__)


class Listener:
    """Keeps the newest quotes of some symbols until a stream takes them."""

    def __init__(self, symbols: Collection[str]) -> None:
        self.symbols = frozenset(symbols)
        self._lock = Lock()
        self._newest: dict[str, bytes] = {}
        self._pending: dict[str, bytes] = {}
        self._has_quotes = Event()

    def offer(self, symbol: str, quote: bytes) -> None:
        """Keep the symbol's newest quote, unless it equals the last one."""
        with self._lock:
            if self._newest.get(symbol) != quote:
                self._newest[symbol] = self._pending[symbol] = quote
                self._has_quotes.set()

    def take(self, timeout_seconds: float) -> list[bytes]:
        """Return the quotes that changed since the last call; wait for the first one if needed."""
        self._has_quotes.wait(timeout_seconds)
        with self._lock:
            self._has_quotes.clear()
            pending, self._pending = self._pending, {}
        return list(pending.values())


class QuoteFeed:
    """Runs a loop with a Redis subscription while this process has listeners."""

    def __init__(self, cache: redis.Redis, board: QuoteBoard, loops: Loops) -> None:
        self._redis = cache
        self._board = board
        self._loops = loops
        self._lock = Lock()
        self._listeners: dict[str, set[Listener]] = {}
        self._new_symbols: set[str] = set()  # their new listeners lack the latest quote
        self._is_running = False

    @contextmanager
    def listening(self, symbols: Collection[str]) -> Iterator[Listener]:
        """Yield a listener that gets the latest quote of each symbol, then each change."""
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
            self._new_symbols |= listener.symbols
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
            with self._redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]  # redis-py
                self._pass_on(pubsub, loop)
        except redis.RedisError as error:
            _log.warning("quote_feed_lost", cause=str(error))
            loop.wait(_PAUSE_SECONDS)

    def _has_listeners(self, loop: Loop) -> bool:
        """Return whether there are listeners; if not, stop the loop until the next one comes."""
        with self._lock:
            self._is_running = bool(self._listeners)
            self._new_symbols = set(self._listeners)
            if not self._is_running:
                loop.stop()
            return self._is_running

    def _pass_on(self, pubsub: "redis.client.PubSub", loop: Loop) -> None:
        """Pass published quotes on to the listeners, until there are none.

        The latest quote is read from the board only after Redis has confirmed the subscription to
        its channel, at first and after each reconnection; a change in between is then not missed.
        """
        subscribed: set[str] = set()
        while True:
            wanted, new_symbols = self._wanted()
            if not wanted:
                return
            _change_channels(pubsub, wanted - subscribed, subscribed - wanted)
            to_read = new_symbols & subscribed
            subscribed = wanted
            for message in _messages(pubsub):
                symbol = message["channel"].decode().removeprefix(CHANNEL_PREFIX)
                if message["type"] == "message":
                    self._offer(symbol, message["data"])
                elif message["type"] == "subscribe":
                    to_read.add(symbol)
            for symbol, quote in self._board.latest_of(sorted(to_read)).items():
                self._offer(symbol, quote)
            loop.note_success()

    def _wanted(self) -> tuple[set[str], set[str]]:
        with self._lock:
            new_symbols, self._new_symbols = self._new_symbols, set()
            return set(self._listeners), new_symbols

    def _offer(self, symbol: str, quote: bytes) -> None:
        with self._lock:
            listeners = tuple(self._listeners.get(symbol, ()))
        for listener in listeners:
            listener.offer(symbol, quote)


def _messages(pubsub: "redis.client.PubSub") -> Iterator[dict[str, Any]]:
    """Yield the messages that arrive within the next `_POLL_SECONDS`.

    The time-out is never zero: redis-py then fails where only half a message has arrived.
    """
    ends_at = time.monotonic() + _POLL_SECONDS
    while time.monotonic() < ends_at:
        message = pubsub.get_message(timeout=_POLL_SECONDS)
        if message is not None:
            yield message


def _change_channels(pubsub: "redis.client.PubSub", added: set[str], removed: set[str]) -> None:
    if added:
        pubsub.subscribe(*map(channel, added))
    if removed:
        pubsub.unsubscribe(*map(channel, removed))  # type: ignore[no-untyped-call]  # redis-py
