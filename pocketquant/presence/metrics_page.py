"""`/metrics` of a process that has no other HTTP server."""

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
    """A running HTTP server in a thread."""

    url: str
    server: WSGIServer
    thread: Thread

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def open_metrics_page(host: str, port: int) -> MetricsPage | None:
    """Serve the metrics of this process; port 0 takes a free port.

    If the port is taken, log it and return None: of several workers on one machine with a fixed
    port only the first serves metrics.
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
