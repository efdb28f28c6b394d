"""A MongoDB and a Redis of a benchmark's own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pocketquant.machine.embedded import private_mongod, private_redis, running


@contextmanager
def private_urls() -> Iterator[dict[str, str]]:
    """Start the servers; yield their URLs by the setting that takes each."""
    with TemporaryDirectory() as name, ExitStack() as ends:
        servers = (private_mongod(Path(name)), private_redis(Path(name)))
        for server in servers:
            ends.enter_context(running(server))
        yield {server.setting: server.url for server in servers}
