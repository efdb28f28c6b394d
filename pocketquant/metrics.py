"""The Prometheus metrics of every process; `docs/metrics.md` explains each.

Labels have few values and never name a symbol, a job or a path. Each process counts by itself,
except the web processes on one port of a machine: they count together in files (`shared_metrics`),
since any of them may answer a scrape.
"""

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import ValueClass

disable_created_metrics()  # type: ignore[no-untyped-call]  # noise in the text format

_IS_SHARED = ValueClass._multiprocess

NO_CODE = ""  # the error code of a success

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_FETCHES = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120)
_GAPS = (1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 14400, 86400)
_WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)

SYNCS = Counter(
    "pocketquant_syncs_total",
    "Attempts of units that came to an end, by how they ended and the code of their error.",
    ("result", "code"),
)
BARS_STORED = Counter(
    "pocketquant_bars_stored_total",
    "Bars that were new to the store or differed from what it had.",
    ("change",),
)
FETCH_SECONDS = Histogram(
    "pocketquant_provider_fetch_duration_seconds",
    "Duration of the provider's answers, by `ok` or the code of their error.",
    ("outcome",),
    buckets=_FETCHES,
)
HANDSHAKES = Counter(
    "pocketquant_provider_handshakes_total",
    "Connections opened for fetches, by `ok` or the code of their error.",
    ("outcome",),
)
QUEUE_WAIT_SECONDS = Histogram(
    "pocketquant_queue_wait_seconds",
    "How long a message waited from its publishing until its task began.",
    ("queue",),
    buckets=_WAITS,
)
DEFERRAL_SECONDS = Histogram(
    "pocketquant_deferral_delay_seconds",
    "For how long units were put back: `error` (tried again) or `pace` (their turn was far off).",
    ("cause",),
    buckets=_WAITS,
)
PACE_WAIT_SECONDS = Histogram(
    "pocketquant_pace_wait_seconds",
    "How long a task held its slot until it was its turn to call the provider.",
    buckets=_WAITS,
)
RESPONSE_CACHE_LOOKUPS = Counter(
    "pocketquant_response_cache_lookups_total",
    "Looks for a kept answer: `hit`, `miss` or `away`, `near` (in this process) or in `redis`.",
    ("layer", "outcome"),
)
HTTP_REQUEST_SECONDS = Histogram(
    "pocketquant_http_request_duration_seconds",
    "Duration of HTTP requests until the answer began, by route, method and status.",
    ("method", "route", "status"),
    buckets=_QUICK,
)
STORE_SECONDS = Histogram(
    "pocketquant_store_operation_duration_seconds",
    "Duration of the bar store's operations, of one series or many.",
    ("operation",),
    buckets=_QUICK,
)
TICKS_PUBLISHED = Counter(
    "pocketquant_ticks_published_total", "Ticks that this beat has handed to the broker."
)
TICK_STEPS_FAILED = Counter(
    "pocketquant_tick_steps_failed_total", "Steps of ticks that failed and are tried again."
)
BUSY_SLOTS = Gauge(
    "pocketquant_worker_busy_slots",
    "Tasks that this worker does right now.",
    multiprocess_mode="max",
)
LIVE_TICKS = Counter(
    "pocketquant_live_ticks_total", "Trades that quotes show, with late and missed ones."
)
LIVE_LATE_TICKS = Counter(
    "pocketquant_live_late_ticks_total", "Ticks that came after their minute had closed: not used."
)
LIVE_MISSED_TICKS = Counter(
    "pocketquant_live_missed_ticks_total",
    "Ticks of minutes that closed while the stream was not seen: not used.",
)
LIVE_OUT_OF_SESSION_TICKS = Counter(
    "pocketquant_live_out_of_session_ticks_total",
    "Ticks that were not used, as the market was closed by its calendar",
)
LIVE_BARS = Counter(
    "pocketquant_live_bars_total",
    "Closed live bars that MongoDB took (`stored`), or that gave way to newer ones (`dropped`).",
    ("result",),
)
LIVE_BARS_WAITING = Gauge(
    "pocketquant_live_bars_waiting",
    "Closed live bars that MongoDB does not have yet.",
    multiprocess_mode="max",
)
LIVE_REPAIRS = Counter(
    "pocketquant_live_repairs_total", "Syncs of single series submitted to repair live bars."
)
LIVE_UNREADABLE_QUOTES = Counter(
    "pocketquant_live_unreadable_quotes_total",
    "Quotes that could not be read: dropped, and the bars that may lack a trade marked.",
)
STREAM_CONNECTIONS = Counter(
    "pocketquant_stream_connections_total",
    "Connections for quotes that were made (`ok`), and failed or lost ones by their error's code.",
    ("outcome",),
)
CLOCK_STEPS = Counter(
    "pocketquant_clock_steps_total",
    "Times that the clock of this machine was set, or the machine slept, while quotes were heard.",
)
STREAM_GAP_SECONDS = Histogram(
    "pocketquant_stream_gap_seconds",
    "For how long nothing was seen between two connections for quotes.",
    buckets=_GAPS,
)
STREAM_LAG_SECONDS = Gauge(
    "pocketquant_stream_lag_seconds",
    "How far behind the clock is what was taken in; it grows where quotes come too fast.",
    multiprocess_mode="max",
)
STREAM_SYMBOLS = Gauge(
    "pocketquant_stream_symbols", "Symbols that this streamer watches.", multiprocess_mode="max"
)
LOOP_FAILURES = Counter(
    "pocketquant_loop_failures_total",
    "Unforeseen errors of the threads that watch or repeat something, by the thread's name.",
    ("loop",),
)
BOARD_FLUSH_SECONDS = Histogram(
    "pocketquant_board_flush_duration_seconds",
    "Duration of the writes of what has changed to Redis.",
    buckets=_QUICK,
)

__all__ = [
    "BARS_STORED",
    "BOARD_FLUSH_SECONDS",
    "BUSY_SLOTS",
    "CLOCK_STEPS",
    "DEFERRAL_SECONDS",
    "FETCH_SECONDS",
    "HTTP_REQUEST_SECONDS",
    "LIVE_BARS",
    "LIVE_BARS_WAITING",
    "LIVE_LATE_TICKS",
    "LIVE_MISSED_TICKS",
    "LIVE_OUT_OF_SESSION_TICKS",
    "LIVE_REPAIRS",
    "LIVE_TICKS",
    "LIVE_UNREADABLE_QUOTES",
    "LOOP_FAILURES",
    "NO_CODE",
    "PACE_WAIT_SECONDS",
    "QUEUE_WAIT_SECONDS",
    "REGISTRY",
    "RESPONSE_CACHE_LOOKUPS",
    "STORE_SECONDS",
    "STREAM_CONNECTIONS",
    "STREAM_GAP_SECONDS",
    "STREAM_LAG_SECONDS",
    "STREAM_SYMBOLS",
    "SYNCS",
    "TICKS_PUBLISHED",
]


def registry() -> CollectorRegistry:
    """Return the metrics to scrape: of this process, or of all that count together with it."""
    if not _IS_SHARED:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared
