"""kombu's Redis transports without two defects.

When a worker loses its Redis, Celery 5.7.0 detaches the transport from its connection before
kombu 5.7.0 acknowledges or restores the messages left on the old channel. The channel then reads
its connection parameters from the detached transport: AttributeError, and the worker dies. Here
the channel remembers the parameters from when it was attached. kombu also makes a new Redis client
for every command, such as an acknowledgement; here a channel keeps one client for its pool.
"""

from typing import Any

from kombu.transport import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel


class RedisChannel(redis.Channel):
    """A channel that remembers its connection parameters when detached, and keeps its client."""

    _remembered: dict[bool, dict[str, Any]] | None = None
    _client_kept: Any = None

    def __init__(self, connection: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(connection, *args, **kwargs)
        self._connparams(asynchronous=False)

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]  # missing in the stubs
        if self._client_kept is None or self._client_kept.connection_pool is not self.pool:
            self._client_kept = super()._create_client()  # type: ignore[misc]
        return self._client_kept

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self._remembered is None:
            self._remembered = {}
        is_detached = getattr(self.connection, "client", None) is None
        if is_detached and asynchronous in self._remembered:
            return dict(self._remembered[asynchronous])
        parameters: dict[str, Any] = super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]  # missing in the stubs
        self._remembered[asynchronous] = dict(parameters)
        return parameters


class RedisTransport(redis.Transport):
    """The Redis transport with our channel."""

    Channel = RedisChannel


class SentinelChannel(RedisChannel, redis.SentinelChannel):
    """Our channel for a Redis behind Sentinels; it takes them from an option instead of the URL."""

    from_transport_options = (*redis.SentinelChannel.from_transport_options, "sentinels")

    sentinels: tuple[tuple[str, int], ...] = ()
    sentinel_kwargs: dict[str, Any]
    master_name: str

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:
        parameters = self._connparams(asynchronous)
        for name in ("host", "port"):
            parameters.pop(name, None)
        no_retry = {"retry": Retry(NoBackoff(), 0)}  # the next Sentinel is tried instead
        manager = Sentinel(  # type: ignore[no-untyped-call]
            self.sentinels, sentinel_kwargs={**self.sentinel_kwargs, **no_retry}, **parameters
        )
        attribute = "_async_sentinel_manager" if asynchronous else "_sentinel_manager"
        setattr(self, attribute, manager)  # kombu closes it with the pool
        return manager.master_for(self.master_name).connection_pool  # type: ignore[no-untyped-call]


class SentinelTransport(redis.SentinelTransport):
    """The Sentinel transport with our channel."""

    Channel = SentinelChannel
