"""kombu's Redis transport with one defect mended.

When a worker loses its Redis, Celery 5.7.0 detaches the transport from its connection before
kombu 5.7.0 acknowledges or restores what is left on the old channel, and the channel then asks
the detached transport for its connection parameters: AttributeError, and the worker dies. Here
the channel remembers the parameters from when it was attached.
"""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """A channel that knows its connection parameters also after it was detached."""

    _remembered: dict[bool, dict[str, Any]] | None = None

    def __init__(self, connection: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(connection, *args, **kwargs)
        self._connparams(asynchronous=False)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self._remembered is None:
            self._remembered = {}
        is_detached = getattr(self.connection, "client", None) is None
        if is_detached and asynchronous in self._remembered:
            return dict(self._remembered[asynchronous])
        parameters: dict[str, Any] = super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]  # missing in the stubs
        self._remembered[asynchronous] = dict(parameters)
        return parameters


class Transport(redis.Transport):
    """The Redis transport that makes such channels."""

    Channel = Channel
