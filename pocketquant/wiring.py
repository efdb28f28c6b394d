"""Build all objects from the settings; connections open on first use."""

import time
from dataclasses import dataclass
from functools import partial

import redis

from pocketquant.cache.board import QuoteBoard
from pocketquant.cache.responses import ResponseCache
from pocketquant.cache.searches import SearchCache
from pocketquant.coordination.fleet import Fleet
from pocketquant.coordination.governor import Ceiling, Governor, Start
from pocketquant.coordination.handshakes import HandshakeRules, Handshakes
from pocketquant.coordination.nudges import Nudges
from pocketquant.coordination.tick_problems import TickProblems
from pocketquant.coordination.tick_turns import TickTurns
from pocketquant.domain.errors import InvalidSettings
from pocketquant.domain.intervals import DAY, HOUR
from pocketquant.domain.window import Thresholds
from pocketquant.history.backfilling import Estimating
from pocketquant.history.events import Events
from pocketquant.history.holes import Holes
from pocketquant.history.hours import HoursKeeping
from pocketquant.history.importing import Importing
from pocketquant.history.intake import Intake
from pocketquant.history.judging import Judging
from pocketquant.history.mending import Mending
from pocketquant.history.paced_provider import PacedProvider
from pocketquant.history.planner import Planner
from pocketquant.history.provenance import Provenances
from pocketquant.history.reconciler import Reconciler
from pocketquant.history.removal import Removal
from pocketquant.history.rescale_follow_up import RescaleFollowUp
from pocketquant.history.rescaling import Rescaling
from pocketquant.history.scheduler import Scheduler
from pocketquant.history.searching import Searching
from pocketquant.history.steps import Steps
from pocketquant.history.syncer import Syncer
from pocketquant.history.window_guard import WindowGuard
from pocketquant.live.current_bars import CurrentBars
from pocketquant.live.shown_bars import ShownLiveBars
from pocketquant.live.watching import Watching
from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.messaging.queues import celery_app
from pocketquant.presence.repeating import Loops
from pocketquant.servers.connections import Mongo, open_mongo, open_redis, server_now
from pocketquant.servers.server_clock import ServerClock
from pocketquant.settings import Settings
from pocketquant.storage.api_keys import ApiKeys
from pocketquant.storage.backlog import Backlog
from pocketquant.storage.bars import BarStore
from pocketquant.storage.calendars import CachedCalendars, CalendarStore
from pocketquant.storage.findings import Findings
from pocketquant.storage.generations import Generations
from pocketquant.storage.interventions import Interventions
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.lost_units import LostUnits
from pocketquant.storage.plans import JobPlans
from pocketquant.storage.reports import ReportStore
from pocketquant.storage.revisions import Revisions
from pocketquant.storage.schedules import Schedules
from pocketquant.storage.subscriptions import Subscriptions
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.beginnings import Beginnings
from pocketquant.tradingview.connections import Connections
from pocketquant.tradingview.search import SymbolSearch

_ESTIMATE_SECONDS = 5.0  # for the beginnings of histories; without them it is rougher
_LEAST_KEPT_SECONDS = 3600  # of an old generation, for readers that have begun with it
_ANSWERS_SECONDS = 1.0  # computing an answer again is faster than waiting longer


@dataclass(frozen=True, slots=True)
class Platform:
    """The shared objects of one process, for its composition root: hand parts of it over."""

    settings: Settings
    loops: Loops
    clock: ServerClock
    mongo: Mongo
    cache: redis.Redis
    answers: redis.Redis | None
    api_keys: ApiKeys
    jobs: JobStore
    ledger: Ledger
    bars: BarStore
    revisions: Revisions
    live_bars: LiveBarStore
    statuses: SyncStatuses
    generations: Generations
    symbols: SymbolRegistry
    calendars: CalendarStore
    cached_calendars: CachedCalendars
    schedules: Schedules
    responses: ResponseCache
    nudges: Nudges
    dispatcher: Dispatcher
    governor: Governor
    fleet: Fleet
    tick_problems: TickProblems
    tick_turns: TickTurns
    backlog: Backlog
    intake: Intake
    planner: Planner
    reconciler: Reconciler
    scheduler: Scheduler
    rescale_follow_up: RescaleFollowUp
    subscriptions: Subscriptions
    board: QuoteBoard
    shown_bars: ShownLiveBars
    current_bars: CurrentBars
    watching: Watching
    removal: Removal
    importing: Importing
    holes: Holes
    guard: WindowGuard
    estimating: Estimating
    judging: Judging
    findings: Findings
    reports: ReportStore
    events: Events
    provenances: Provenances
    searching: Searching

    def close(self) -> None:
        """Close the connections; a process that ends need not call it."""
        self.mongo.client.close()
        self.cache.close()
        if self.answers is not None:
            self.answers.close()


def wire(settings: Settings) -> Platform:
    """Build all but the provider; InvalidSettings if the URL of a server is missing."""
    for name in ("mongodb_url", "redis_url"):
        if not getattr(settings, name):
            raise InvalidSettings(
                f"{name.upper()} is not set; `pocketquant up` brings servers along"
            )
    clock = ServerClock(time.time)
    mongo = open_mongo(settings.mongodb_url, settings.mongodb_database, clock=clock)
    cache = open_redis(settings.redis_url)
    answers = open_redis(settings.cache_url, _ANSWERS_SECONDS) if settings.cache_url else None
    most_bytes = settings.answers_most_mb * 1_000_000
    jobs, plans = JobStore(mongo), JobPlans(mongo)
    ledger = Ledger(mongo, jobs, settings.lease_seconds, settings.max_attempts)
    statuses, symbols, schedules = SyncStatuses(mongo), SymbolRegistry(mongo), Schedules(mongo)
    interventions = Interventions(mongo, jobs, statuses)
    nudges = Nudges(cache)
    dispatcher = Dispatcher(celery_app(settings.broker_url))
    governor = _governor(settings, cache)
    subscriptions, board = Subscriptions(mongo), QuoteBoard(cache)
    now = partial(server_now, mongo)  # due times must not depend on differing clocks of hosts
    intake = Intake(jobs, plans, interventions, ledger, statuses, symbols, dispatcher, nudges, now)
    tick_problems = TickProblems(cache)
    steps = Steps(tick_problems)
    revisions = Revisions(mongo, settings.revision_days, clock)
    bars = BarStore(mongo, revisions=revisions if settings.revision_days else None)
    live_bars, calendars = LiveBarStore(mongo), CalendarStore(mongo)
    cached_calendars = CachedCalendars(calendars, time.monotonic)
    generations, reports = Generations(mongo), ReportStore(mongo)
    shown_bars = ShownLiveBars(bars, live_bars, generations, cached_calendars)
    current_bars = CurrentBars(board, shown_bars, cached_calendars)
    holes = Holes(statuses, bars, live_bars, generations, calendars, symbols, time.time)
    responses, account = ResponseCache(cache, answers, most_bytes), _account(settings, cache)
    hours = (settings.stale_hours, settings.at_risk_hours)
    thresholds = Thresholds(*(round(each * HOUR) for each in hours))
    findings = Findings(mongo)
    judging = Judging(bars, statuses, generations, calendars, reports, findings, steps)
    guard = WindowGuard(statuses, symbols, intake, thresholds, now)
    return Platform(
        settings=settings,
        loops=Loops(),
        clock=clock,
        mongo=mongo,
        cache=cache,
        answers=answers,
        api_keys=ApiKeys(mongo),
        jobs=jobs,
        ledger=ledger,
        bars=bars,
        revisions=revisions,
        live_bars=live_bars,
        statuses=statuses,
        generations=generations,
        symbols=symbols,
        schedules=schedules,
        responses=responses,
        nudges=nudges,
        dispatcher=dispatcher,
        governor=governor,
        fleet=Fleet(cache),
        tick_problems=tick_problems,
        tick_turns=TickTurns(cache),
        backlog=Backlog(mongo),
        intake=intake,
        planner=Planner(plans, jobs, interventions, statuses, dispatcher),
        reconciler=Reconciler(
            jobs=jobs,
            plans=plans,
            interventions=interventions,
            lost_units=LostUnits(mongo, jobs, settings.max_attempts),
            statuses=statuses,
            dispatcher=dispatcher,
            nudges=nudges,
            governor=governor,
            steps=steps,
            tick_seconds=settings.tick_seconds,
            now=now,
        ),
        scheduler=Scheduler(
            schedules, symbols, statuses, intake, jobs, steps, calendars, guard, now
        ),
        rescale_follow_up=RescaleFollowUp(generations, bars, statuses, jobs, intake, steps, now),
        subscriptions=subscriptions,
        board=board,
        shown_bars=shown_bars,
        current_bars=current_bars,
        watching=Watching(subscriptions, board, current_bars, nudges, time.time),
        calendars=calendars,
        cached_calendars=cached_calendars,
        removal=Removal(symbols, ledger, bars, live_bars, statuses, responses, calendars, reports),
        judging=judging,
        findings=findings,
        reports=reports,
        events=Events(generations, reports),
        importing=Importing(
            *(symbols, bars, live_bars, generations, statuses, responses, calendars, findings),
            time.time,
        ),
        guard=guard,
        estimating=Estimating(
            statuses,
            calendars,
            Beginnings(
                Connections(settings.tradingview_url, wire_handshakes(settings, cache)),
                account,
                _ESTIMATE_SECONDS,
                is_urgent=True,
            ),
            governor,
            account.plan,
            time.time,
        ),
        holes=holes,
        provenances=Provenances(statuses, symbols, holes, revisions, clock),
        searching=Searching(
            SymbolSearch(settings.tradingview_search_url, settings.tradingview_http_url),
            SearchCache(answers or cache),
        ),
    )


def wire_syncer(platform: Platform) -> Syncer:
    """Build the syncer of a worker, with TradingView as its provider.

    Its module is imported late: tvdatafeed imports pandas, which only workers need.
    """
    from pocketquant.tradingview.paging import PagedHistory, TradingView
    from pocketquant.tradingview.tvdatafeed import TvDatafeedHistory

    settings = platform.settings
    connections = Connections(
        settings.tradingview_url,
        wire_handshakes(settings, platform.cache),
        settings.provider_connection_sessions,
        settings.turn_seconds,
    )
    account, seconds = wire_account(platform), settings.provider_timeout_seconds

    def source(is_urgent: bool) -> TradingView:
        return TradingView(
            connections,
            TvDatafeedHistory(connections, account, seconds, is_urgent),
            PagedHistory(connections, account, seconds, is_urgent),
        )

    return Syncer(
        ledger=platform.ledger,
        provider=PacedProvider(
            source(is_urgent=False),
            platform.governor,
            settings.turn_seconds,
            urgent=source(is_urgent=True),
        ),
        bars=platform.bars,
        live_bars=platform.live_bars,
        mending=Mending(
            platform.bars, platform.live_bars, platform.generations, platform.calendars
        ),
        rescaling=Rescaling(
            bars=platform.bars,
            live_bars=platform.live_bars,
            generations=platform.generations,
            ledger=platform.ledger,
            responses=platform.responses,
            clock=platform.clock,
            keep_seconds=max(settings.revision_days * DAY, _LEAST_KEPT_SECONDS),
        ),
        hours=HoursKeeping(platform.calendars),
        reports=platform.reports,
        statuses=platform.statuses,
        symbols=platform.symbols,
        responses=platform.responses,
        nudges=platform.nudges,
        clock=time.time,
    )


def wire_account(platform: Platform) -> Account:
    """Build the TradingView account of the settings."""
    return _account(platform.settings, platform.cache)


def wire_handshakes(
    settings: Settings, cache: redis.Redis, *, needs_redis: bool = True
) -> Handshakes:
    """Build the pace of handshakes, which all processes share."""
    rules = HandshakeRules(settings.provider_handshake_rate, settings.provider_handshake_burst)
    return Handshakes(cache, rules, needs_redis)


def _account(settings: Settings, cache: redis.Redis) -> Account:
    return Account(
        settings.tradingview_http_url,
        settings.tradingview_username,
        settings.tradingview_password.get_secret_value(),
        settings.tradingview_token.get_secret_value(),
        cache,
    )


def _governor(settings: Settings, cache: redis.Redis) -> Governor:
    ceiling = Ceiling(
        settings.provider_rate, settings.provider_burst, settings.provider_concurrency
    )
    start = Start(settings.provider_start_rate, settings.provider_start_concurrency)
    return Governor(cache, ceiling, hold_seconds=settings.lease_seconds, start=start)
