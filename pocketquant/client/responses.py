"""Types of the API's JSON responses.

Each is a dictionary with these keys. Times are ISO 8601 texts in UTC. A test compares the types
with the OpenAPI document.
"""

from typing import NotRequired, TypedDict


class JobCounts(TypedDict):
    """The number of syncs of a job in each state."""

    total: int
    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int


class Unit(TypedDict):
    """One sync of a job."""

    unit_id: str
    symbol: str
    exchange: str
    interval: str
    n_bars: int
    state: str
    attempts: int
    error: str | None
    error_message: str | None
    created_at: str
    begun_at: str | None
    next_attempt_at: str | None
    finished_at: str | None
    job_ids: list[str]


class Job(TypedDict):
    """A job and its counts by state."""

    job_id: str
    kind: str
    state: str
    counts: JobCounts
    created_at: str
    finished_at: str | None


class JobProgress(Job):
    """A job with its rate, its estimated end and its first errors."""

    units_per_second: float | None
    estimated_end_at: str | None
    first_errors: list[Unit]


class Cancellation(TypedDict):
    """The outcome of a cancellation for the units of the job."""

    job_id: str
    state: str
    cancelled: int
    stopping: list[str]
    kept: int
    kept_series: list[str]


class CodeCount(TypedDict):
    """The number of dead letters with one error code."""

    code: str
    count: int


class Retried(TypedDict):
    """The number of dead letters that were queued again."""

    retried: int


class SyncResult(TypedDict):
    """The report of a sync; `bar_count` and the bar times cover all stored bars of the series."""

    symbol: str
    exchange: str
    interval: str
    status: str
    fetched: int
    inserted: int
    changed: int
    unchanged: int
    refused: int
    forming: int
    refusals: dict[str, int]
    bar_count: int
    first_bar_at: str | None
    last_bar_at: str | None
    job_id: str


class SyncStatus(TypedDict):
    """The state of a series and of its last sync."""

    symbol: str
    exchange: str
    interval: str
    status: str
    bar_count: int
    first_bar_at: str | None
    last_bar_at: str | None
    last_sync_at: str | None
    error: str | None
    error_message: str | None
    job_id: str | None
    attempts: int
    next_attempt_at: str | None
    calendar_problem: str | None


class Session(TypedDict):
    """One stretch of continuous trading."""

    open: str
    close: str
    trading_day: str


class Doubt(TypedDict):
    """A bar that the provider sent and the calendar did not predict."""

    interval: str
    opened_at: str


class Calendar(TypedDict):
    """When a symbol trades; `sessions` and the days are those of the requested range."""

    symbol: str
    exchange: str
    timezone: str
    session: str
    source: str
    seen_from: str
    problem: str | None
    doubts: list[Doubt]
    is_open: bool | None
    next_open: str | None
    next_close: str | None
    holidays: list[str]
    special_days: list[str]
    sessions: list[Session]


class RegisteredSymbol(TypedDict):
    """A registered symbol; texts missing at the provider are empty."""

    symbol: str
    exchange: str
    name: str
    type: str
    currency: str
    session: str
    timezone: str
    has_volume: bool
    full_name: str
    tick_size: float | None
    delay_seconds: int | None
    allowed_adjustment: str
    active: bool
    intervals: list[str]


class FoundSymbol(TypedDict):
    """A symbol of the provider; missing texts are empty."""

    symbol: str
    exchange: str
    name: str
    type: str
    kinds: list[str]
    currency: str
    country: str
    provider_exchange: str


class SearchPage(TypedDict):
    """One page of search results, the best match first."""

    symbols: list[FoundSymbol]
    remaining: int
    next_start: int | None
    unusable: int


class Bar(TypedDict):
    """A closed bar and its open time."""

    datetime: str
    open: float
    high: float
    low: float
    close: float
    volume: float | None


class FormingBar(TypedDict):
    """The newest bar before its end, from quotes or from the last sync."""

    bar_start: str
    bar_end: str
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    partial: bool
    as_of: str
    source: str


class LivePart(TypedDict):
    """The number of bars of a page that were built from quotes, and the partial ones."""

    count: int
    partial: list[str]
    stretches: NotRequired[list[list[str]]]


class BarsPage(TypedDict):
    """One page of closed bars, and the forming bar."""

    symbol: str
    exchange: str
    interval: str
    data: list[Bar]
    count: int
    next_cursor: str | None
    resampled_from: str | None
    live: LivePart
    forming: FormingBar | None


class BarColumns(TypedDict):
    """Six lists of equal length."""

    datetime: list[str]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float | None]


class ColumnsPage(TypedDict):
    """One page of closed bars as columns, and the forming bar."""

    symbol: str
    exchange: str
    interval: str
    columns: BarColumns
    count: int
    next_cursor: str | None
    resampled_from: str | None
    live: LivePart
    forming: FormingBar | None


class RefusedBar(TypedDict):
    """A bar that was not stored."""

    index: int
    datetime: str
    reason: str


class ImportResult(TypedDict):
    """The report of an import; `bar_count` and the bar times cover all stored bars."""

    symbol: str
    exchange: str
    interval: str
    inserted: int
    changed: int
    unchanged: int
    refused: int
    refusals: list[RefusedBar]
    bar_count: int
    first_bar_at: str | None
    last_bar_at: str | None


class WatchState(TypedDict):
    """The new state of all subscriptions; streamers follow within a second or two."""

    streaming: bool
    subscribed: int
    changed: int


class Quote(TypedDict):
    """The latest quote of a symbol; values missing at the provider are None."""

    symbol: str
    exchange: str
    timestamp: str | None
    last_price: float | None
    bid: float | None
    ask: float | None
    volume: float | None
    change: float | None
    change_percent: float | None
    open_price: float | None
    high_price: float | None
    low_price: float | None
    prev_close: float | None
    update_mode: str | None


class CurrentBar(TypedDict):
    """The forming bar, built from quotes."""

    symbol: str
    exchange: str
    interval: str
    bar_start: str
    bar_end: str
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    tick_count: int
    partial: bool
    as_of: str


class StreamerState(TypedDict):
    """The last report of a streamer, at most 15 s old; it counts from its own start."""

    shard: str
    host: str
    pid: int
    started_at: str
    as_of: str
    connected_at: str | None
    symbols: int
    ticks: int
    late_ticks: int
    missed_ticks: int
    unreadable_quotes: int
    reconnects: int
    bars_stored: int
    bars_waiting: int
    bars_dropped: int
    last_error: str | None
    last_error_message: str | None


class RefusedSymbol(TypedDict):
    """A subscribed symbol that the provider refuses."""

    symbol: str
    exchange: str
    error: str
    message: str


class UnreadableSymbol(TypedDict):
    """A symbol with quotes that cannot be read."""

    symbol: str
    exchange: str
    quotes: int
    message: str


class QuotesStatus(TypedDict):
    """The subscriptions, the streamers, and the symbols without usable quotes."""

    streaming: bool
    subscribed: int
    watched: int
    streamers: list[StreamerState]
    refused: list[RefusedSymbol]
    unreadable: list[UnreadableSymbol]


class Schedule(TypedDict):
    """A schedule and its last run."""

    name: str
    description: str
    cron: str | None
    after_close_minutes: int | None
    exchange: str | None
    symbols: list[str]
    is_built_in: bool
    n_bars: int
    intervals: list[str]
    paused: bool
    next_run_at: str | None
    last_run_at: str | None
    last_job_id: str | None
    last_job_state: str | None
    last_success_at: str | None
    seconds_since_last_success: int | None


class Worker(TypedDict):
    """A process that runs tasks."""

    name: str
    host: str
    pid: int
    started_at: str
    last_seen: str
    version: str
    metrics_url: str | None
    clock_ahead_seconds: float | None
    queues: list[str]
    slots: int
    busy: int


class Queue(TypedDict):
    """The number of messages in the broker and of waiting units in MongoDB for one queue."""

    name: str
    length: int | None
    waiting_units: int | None
    oldest_seconds: float | None


class Beat(TypedDict):
    """A process that publishes ticks."""

    name: str
    host: str
    pid: int
    started_at: str
    last_seen: str
    version: str
    metrics_url: str | None
    clock_ahead_seconds: float | None


class Breaker(TypedDict):
    """Whether fetches are allowed now, and the reason if they are not."""

    state: str
    consecutive_failures: int
    opened_at: str | None
    next_probe_at: str | None
    last_reason: str | None


class Pace(TypedDict):
    """The limits of all fetches of the fleet together."""

    rate: float
    ceiling_rate: float
    concurrency: int
    ceiling_concurrency: int
    in_progress: int
    last_lowered_at: str | None


class Totals(TypedDict):
    """Sums over all workers."""

    workers: int
    slots: int
    busy: int


class UnitCounts(TypedDict):
    """Open units outside the queues."""

    deferred: int
    running: int


class FleetSchedule(TypedDict):
    """The next run of a schedule, and the time since its last success."""

    name: str
    paused: bool
    next_run_at: str | None
    last_run_at: str | None
    last_job_id: str | None
    last_success_at: str | None
    seconds_since_last_success: float | None


class FleetStreamer(TypedDict):
    """A process that streams live quotes, or stands by to replace one."""

    name: str
    host: str
    pid: int
    started_at: str
    last_seen: str
    version: str
    metrics_url: str | None
    clock_ahead_seconds: float | None
    shard: str | None


class Fleet(TypedDict):
    """Processes, queues, pace and schedules; None for data of a server that is away."""

    workers: list[Worker] | None
    beats: list[Beat] | None
    streamers: list[FleetStreamer] | None
    totals: Totals | None
    queues: list[Queue]
    units: UnitCounts | None
    pace: Pace | None
    breaker: Breaker | None
    schedules: list[FleetSchedule] | None
    problems: list[str]
