"""Types of the API's JSON responses.

Each is a dictionary with these keys. Times are ISO 8601 texts in UTC. A test compares the types
with the OpenAPI document.
"""

from typing import NotRequired, TypedDict


class _Symbol(TypedDict):
    symbol: str
    exchange: str


class _Series(_Symbol):
    interval: str


class _Prices(TypedDict):
    open: float
    high: float
    low: float
    close: float
    volume: float | None


class _Extent(TypedDict):
    bar_count: int
    first_bar_at: str | None
    last_bar_at: str | None


class _Process(TypedDict):
    name: str
    host: str
    pid: int
    started_at: str
    last_seen: str
    version: str
    metrics_url: str | None
    clock_ahead_seconds: float | None


class JobCounts(TypedDict):
    """The number of syncs of a job in each state."""

    total: int
    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int
    paused: int


class Unit(_Series):
    """One sync of a job."""

    unit_id: str
    n_bars: int
    start: str | None
    end: str | None
    reached_back_to: str | None
    newest_fetched: str | None
    stop: str | None
    history_begins_at: str | None
    fetched: int
    inserted: int
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


class EstimateTotal(TypedDict):
    """The bars and pages expected of all series of a backfill together."""

    series_count: int
    unknown_count: int
    bars: int
    pages: int


class ExpectedBars(_Series):
    """The bars and pages expected of one series, and its bars that were fetched before."""

    bars: int | None
    covered: int
    pages: int | None
    since: str | None
    bound: str


class Estimate(EstimateTotal):
    """The bars expected of a backfill, as far as they are known before it begins."""

    limit_bars: int | None
    reported_limit_bars: int | None
    series: list[ExpectedBars]


class BackfillJob(Job):
    """The job of a backfill, with its estimate."""

    estimate: Estimate


class BackfillProgress(TypedDict):
    """The results of a backfill so far."""

    estimate: EstimateTotal
    fetched: int
    inserted: int
    reached_back_to: str | None
    newest_fetched: str | None
    share_of_time: float
    stops: dict[str, int]


class JobProgress(Job):
    """A job with its rate, its estimated end, its first errors, and the results of a backfill."""

    units_per_second: float | None
    estimated_end_at: str | None
    first_errors: list[Unit]
    backfill: BackfillProgress | None


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


class SyncResult(_Series, _Extent):
    """The report of a sync; `bar_count` and the bar times cover all stored bars of the series."""

    status: str
    fetched: int
    inserted: int
    changed: int
    unchanged: int
    refused: int
    forming: int
    refusals: dict[str, int]
    stop: str | None
    reached_back_to: str | None
    history_begins_at: str | None
    job_id: str


class SyncStatus(_Series, _Extent):
    """The state of a series and of its last sync."""

    status: str
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
    """The trading hours of a symbol; sessions and days are those of the requested range."""

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


class Covered(TypedDict):
    """A stretch of a series that was fetched; `state` is `complete` or `limited`."""

    start: str
    end: str
    state: str
    asked_at: str


class Coverage(_Series):
    """The stretches of a series that were fetched, in order of time."""

    ranges: list[Covered]


class Event(TypedDict):
    """A split or a dividend, as bars show it (`before`, `factor`) or a quote (`ex_date`)."""

    kind: str
    source: str
    found_at: str
    before: str | None
    factor: float | None
    found_by: list[str]
    job_id: str | None
    ex_date: str | None
    amount: float | None


class Events(TypedDict):
    """The events of a symbol, those found last first."""

    symbol: str
    exchange: str
    events: list[Event]


class Untraded(TypedDict):
    """Consecutive bars of the calendar without a trade."""

    first_bar_at: str
    last_bar_at: str
    bars: int


class Hole(Untraded):
    """Consecutive missing bars; `reason`: `not_fetched`, `not_synced`, `lost`, `not_served`."""

    reason: str


class HolesReport(_Series):
    """The bars that the calendar of a symbol has and the store lacks."""

    start: str
    end: str
    calendar_problem: str | None
    missing_bars: int
    hole_count: int
    holes: list[Hole]
    untraded_bars: int
    untraded_count: int
    untraded: list[Untraded]


class Outlier(TypedDict):
    """A price that stands alone, the usual close around it, and the bounds."""

    datetime: str
    field: str
    value: float
    usual: float
    lowest: float
    highest: float


class OutliersReport(_Series):
    """Bars that may be bad prints."""

    bars: int
    first_bar_at: str | None
    last_bar_at: str | None
    outlier_count: int
    outliers: list[Outlier]


class Difference(TypedDict):
    """A value of a daily bar, and that of another source: `quote`, or bars of an interval."""

    datetime: str
    against: str
    field: str
    stored: float
    other: float


class Differences(TypedDict):
    """Values of a symbol's daily bars that intraday bars or quotes contradict."""

    symbol: str
    exchange: str
    differences: list[Difference]


class StripPart(TypedDict):
    """A part of a series' time, and its state."""

    start: str
    end: str
    state: str


class Change(TypedDict):
    """One number of a bar, before and after; None: no volume."""

    datetime: str
    field: str
    before: float | None
    after: float | None


class Revision(TypedDict):
    """A change of stored bars by one sync or import."""

    replaced_at: str
    bars: int
    first_bar_at: str
    last_bar_at: str
    largest_change: Change
    reason: str
    job_id: str | None


class SeriesQuality(_Series):
    """How whole a series is; counts are None while its calendar is not trusted."""

    status: str
    bar_count: int
    last_bar_at: str | None
    last_sync_at: str | None
    fetched_from: str | None
    gaps: int
    not_fetched_bars: int | None
    late_bars: int | None
    lost_bars: int
    limited: bool
    limit_bars: int | None
    calendar_problem: str | None
    refused_bars: int
    outliers: int
    differences: int
    late_since: str | None
    served_until: str | None
    at_risk: bool
    error_code: str | None
    error_message: str | None
    job_id: str | None
    strip: list[StripPart]


class RegisteredSymbol(_Symbol):
    """A registered symbol; texts missing at the provider are empty."""

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
    has_extended_hours: bool | None
    active: bool
    intervals: list[str]


class FoundSymbol(_Symbol):
    """A symbol of the provider; missing texts are empty."""

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


class Bar(_Prices):
    """A closed bar and its open time; a bar of days or longer has its trading day too."""

    datetime: str
    trading_day: NotRequired[str | None]


class FormingBar(_Prices):
    """The newest bar before its end, from quotes or from the last sync."""

    bar_start: str
    bar_end: str
    partial: bool
    as_of: str
    source: str
    trading_day: NotRequired[str | None]


class LivePart(TypedDict):
    """The number of bars of a page that were built from quotes, and the partial ones."""

    count: int
    partial: list[str]
    stretches: NotRequired[list[list[str]]]


class Provenance(_Series):
    """Where the bars of a range come from, and whether they are whole; None: not known."""

    resampled_from: str | None
    as_of: str
    start: str
    end: str
    feed: str | None
    variant: str
    differs_from_default: bool | None
    fetched_at: str | None
    coverage: list[Covered]
    calendar_version: int | None
    calendar_seen_from: str | None
    revisions: int
    last_revised_at: str | None
    missing_bars: int | None
    complete: bool | None


class _Page(_Series):
    count: int
    next_cursor: str | None
    resampled_from: str | None
    live: LivePart
    as_of: NotRequired[str | None]
    reason: NotRequired[str | None]
    provenance: NotRequired[Provenance | None]
    forming: FormingBar | None


class BarsPage(_Page):
    """One page of closed bars, and the forming bar."""

    data: list[Bar]


class BarColumns(TypedDict):
    """Lists of equal length."""

    datetime: list[str]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float | None]
    trading_day: NotRequired[list[str | None]]


class ColumnsPage(_Page):
    """One page of closed bars as columns, and the forming bar."""

    columns: BarColumns


class RefusedBar(TypedDict):
    """A bar that was not stored."""

    index: int
    datetime: str
    reason: str


class ImportResult(_Series, _Extent):
    """The report of an import; `bar_count` and the bar times cover all stored bars."""

    inserted: int
    changed: int
    unchanged: int
    refused: int
    refusals: list[RefusedBar]


class WatchState(TypedDict):
    """The new state of all subscriptions; streamers follow within a second or two."""

    streaming: bool
    subscribed: int
    changed: int


class Quote(_Symbol):
    """The latest quote of a symbol; values missing at the provider are None."""

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


class CurrentBar(_Series, _Prices):
    """The forming bar, built from quotes."""

    bar_start: str
    bar_end: str
    tick_count: int
    partial: bool
    as_of: str
    trading_day: str | None


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
    out_of_session_ticks: int
    unreadable_quotes: int
    reconnects: int
    bars_stored: int
    bars_waiting: int
    bars_dropped: int
    last_error: str | None
    last_error_message: str | None


class RefusedSymbol(_Symbol):
    """A subscribed symbol that the provider refuses."""

    error: str
    message: str


class UnreadableSymbol(_Symbol):
    """A symbol with quotes that cannot be read."""

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
    at_risk: int


class ApiKey(TypedDict):
    """A key of the API, without its text."""

    id: str
    name: str
    scope: str
    live: bool
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class NewApiKey(ApiKey):
    """A key with its text, which no later response has."""

    key: str


class Access(TypedDict):
    """The rights of the key that is used; its id is None where no key is needed."""

    scope: str
    id: str | None
    name: str | None
    expires_at: str | None


class Worker(_Process):
    """A process that runs tasks."""

    queues: list[str]
    slots: int
    busy: int


class Queue(TypedDict):
    """The number of messages in the broker and of waiting units in MongoDB for one queue."""

    name: str
    length: int | None
    waiting_units: int | None
    oldest_seconds: float | None


class Beat(_Process):
    """A process that publishes ticks."""


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


class FleetStreamer(_Process):
    """A process that streams live quotes, or stands by to replace one."""

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
