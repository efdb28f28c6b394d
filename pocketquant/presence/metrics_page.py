"""`/metrics` of a process that serves nothing else."""

import socket
from dataclasses import dataclass
from threading import Thread
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import start_http_server

_EVERY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104  # compared, not bound

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """A small server in a thread of its own."""

    url: str
    server: WSGIServer
    thread: Thread

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def open_metrics_page(host: str, port: int) -> MetricsPage | None:
    """Serve this process' metrics; port 0 is a free one. None, with a log line, where it is taken.

    Several workers of one machine can't share a fixed port: all but the first go without.
    """
    try:
        server, thread = start_http_server(port, host)
    except OSError as error:
        _log.warning("metrics_not_served", host=host, port=port, cause=str(error))
        return None
    name = socket.gethostname() if host in _EVERY_ADDRESS else host
    authority = f"[{name}]" if ":" in name else name
    url = f"http://{authority}:{server.server_port}/metrics"
    _log.info("metrics_served", url=url)
    return MetricsPage(url, server, thread)
