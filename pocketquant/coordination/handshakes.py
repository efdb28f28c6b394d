"""`Handshakes`: limits the connections that all processes together open to the provider.

TradingView counts handshakes and answers too many with HTTP 429. Their pace is apart from that of
fetches, as a kept connection serves many fetches. Its state is in Redis and `handshakes.lua`
decides there, by the server's clock: a rate, a burst, and a pause after a refusal, which doubles
while refusals go on. An eighth of the burst, at least one of two or more, is for urgent calls.

It also counts the open connections, for accounts whose number of them is limited. One whose process
died counts for some minutes more.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import resources

import redis

_KEYS = ["governor:handshakes", "governor:connections"]


@dataclass(frozen=True, slots=True)
class HandshakeRules:
    """The limits of all processes together."""

    rate: float  # handshakes a second
    burst: int  # handshakes that may begin at once after a time without any
    first_pause_seconds: float = 2.0  # after a refusal
    longest_pause_seconds: float = 60.0
    forgotten_after_seconds: float = 60.0  # without a refusal, pauses are short again


class Handshakes:
    """Admits handshakes; the driver's errors pass through."""

    def __init__(self, cache: redis.Redis, rules: HandshakeRules, needs_redis: bool = True) -> None:
        """Without `needs_redis`, handshakes are not limited while Redis is away."""
        self._needs_redis = needs_redis
        self._first_pause_seconds = rules.first_pause_seconds
        self._rules = json.dumps(asdict(rules))
        script = resources.files(__package__).joinpath("handshakes.lua").read_text("utf-8")
        self._script = cache.register_script(script)

    def take(self, connection: str, is_urgent: bool, most_connections: int | None = None) -> float:
        """Return 0 if a handshake may begin now, and count it and its connection.

        Otherwise return after how many seconds to ask again; no turn is reserved until then.
        """
        try:
            return self._call("take", int(is_urgent), connection, most_connections or 0)
        except redis.RedisError:
            if self._needs_redis:
                raise
            return 0.0

    def refused(self) -> float:
        """Note that the provider refused one; return the seconds until the next may begin."""
        try:
            return self._call("refused")
        except redis.RedisError:
            if self._needs_redis:
                raise
            return self._first_pause_seconds

    def closed(self, *connections: str) -> None:
        """Note that connections are closed; without Redis they are forgotten later."""
        with suppress(redis.RedisError):
            self._call("closed", *connections)

    def _call(self, action: str, *args: str | int) -> float:
        return float(self._script(_KEYS, [action, self._rules, *args]))
