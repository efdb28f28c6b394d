"""The Flask application: `granian --interface wsgi --factory web.app:create_worker_app`."""

import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from threading import BoundedSemaphore
from typing import Any

from flask import Flask, Response

from pocketquant.domain.shards import all_shards
from pocketquant.hints import wrong_settings_in_one_line
from pocketquant.logs import set_up_logs
from pocketquant.machine.exposure import require_safe
from pocketquant.machine.parent_death import end_with_parent
from pocketquant.messaging.headers import carry_log_context, measure_queue_waits
from pocketquant.redaction import redactor_for
from pocketquant.servers.addresses import is_loopback
from pocketquant.servers.connections import open_redis
from pocketquant.settings import Settings
from pocketquant.wiring import Platform, wire
from web import compression, documentation, errors, request_log
from web.api import (
    backfills,
    bars,
    calendars,
    changes,
    coverage,
    dead_letters,
    fleet,
    health,
    jobs,
    keys,
    metrics,
    quotes,
    schedules,
    symbols,
    syncs,
    udf,
)
from web.bars.chunk_cache import ChunkCache
from web.bars.exports import Exports
from web.bars.fresh_tokens import FreshTokens
from web.bars.live_forming import LiveForming
from web.bars.local_cache import LocalCache
from web.bars.ohlcv import OhlcvReader
from web.bars.stored_bars import StoredBars
from web.errors import Api
from web.fleet.gauges import FleetCollector
from web.fleet.probes import ServerProbes
from web.fleet.series_counts import SeriesCounts
from web.fleet.snapshot import FleetProbe
from web.guard import bodies, hardening, limits, unread_answers
from web.guard.gate import Gate
from web.guard.keyring import KeyRing
from web.page import serving as page
from web.services import WebServices
from web.slots import export_slots, stream_slots
from web.smorest_pydantic import SECURITY_SCHEMES, PydanticPlugin
from web.storage import Storage
from web.streams.change_feed import ChangeFeed
from web.streams.job_watch import JobWatch, read_progress
from web.streams.quote_feed import QuoteFeed

_MOST_BODY_BYTES = 2 * 1_048_576  # ten thousand symbols with the longest of names
_WORKER_BOOT_ERROR = 3  # gunicorn then ends; after any other code it starts the worker again
_MANY_STREAMS = 2000
_SUBSCRIBER_SECONDS = 0.25  # to connect; a request waits for it
_MOST_BODIES = 1000  # that push receives at a time


class WholeResponse(Response):
    """A response whose body, if it is whole already, goes to the server as a list.

    granian sends a list in one step, and passes every other iterable from thread to thread.
    """

    def get_app_iter(self, environ: dict[str, Any]) -> Iterable[bytes]:
        pieces = super().get_app_iter(environ)
        must_be_closed = self._on_close or not self.is_sequence
        return pieces if must_be_closed else list(pieces)


class SynchronousFlask(Flask):
    """Every view and hook is a plain function; Flask would look that up twenty times a request."""

    response_class = WholeResponse

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(
    settings: Settings | None = None, most_streams: int | None = None, host: str | None = None
) -> Flask:
    """Return the application that will listen on `host`; it connects to no server yet."""
    settings = settings or Settings()
    redactor = redactor_for(settings)
    set_up_logs(settings.log_format, settings.log_level, redactor)
    carry_log_context()
    measure_queue_waits()
    app = SynchronousFlask("web", static_folder=None)
    app.config.update(documentation.CONFIG, MAX_CONTENT_LENGTH=_MOST_BODY_BYTES)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    app.url_map.merge_slashes = False  # a ticker may hold some
    services = _services(wire(settings), most_streams or _few_streams(settings.api_threads))
    services.attach(app)
    errors.install(app, redactor)
    request_log.install(app)
    page.install(app)
    gate = _gate(services.platform, host or settings.api_host)
    gate.install(app)
    limits.install(app, settings)
    _install_api(app)
    gate.install_admission(app)
    hardening.install(app, settings.allowed_origins)
    compression.install(app)
    return app


def create_worker_app() -> Flask:
    """Return the application of a server's worker process, which must not outlive the server.

    Until it serves, SIGTERM ends it at once: the handler inherited from the server does nothing
    here, so the server's death would be missed.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()
    with wrong_settings_in_one_line():
        settings = Settings()
        require_safe(settings)
        app = create_app(settings)
    slots = _most_arriving_bodies(settings.api_threads)
    bodies.install(app, settings.api_body_seconds, slots, bodies.leave_open)
    unread_answers.install(app, settings.api_write_seconds)
    hardening.name_no_server(app)
    return app


def create_push_app() -> Flask:
    """Return the application for a server that holds thousands of streams open."""
    end_with_parent()
    with wrong_settings_in_one_line(_WORKER_BOOT_ERROR):
        settings = Settings()
        require_safe(settings)
        app = create_app(settings, _MANY_STREAMS, settings.push_host)
    bodies.install(app, settings.api_body_seconds, _MOST_BODIES, bodies.hang_up)
    unread_answers.install(app, settings.api_write_seconds)
    hardening.name_no_gunicorn()
    return app


def _gate(platform: Platform, host: str) -> Gate:
    settings = platform.settings
    is_open = settings.is_development and is_loopback(host)
    return Gate(KeyRing(platform.api_keys), is_open, settings.allowed_origins)


def _services(platform: Platform, most_streams: int) -> WebServices:
    settings = platform.settings
    fleet_probe = _fleet_probe(platform)
    storage, slots = Storage(platform), export_slots(_some_exports(settings.api_threads))
    return WebServices(
        platform=platform,
        storage=storage,
        ohlcv=_ohlcv(platform),
        live_forming=LiveForming(platform.current_bars, time.time),
        server_probes=ServerProbes(platform.mongo, settings.redis_url, settings.broker_url),
        fleet_probe=fleet_probe,
        fleet_metrics=FleetCollector(fleet_probe).registry(),
        job_watch=JobWatch(partial(read_progress, platform.jobs)),
        quote_feed=QuoteFeed(platform.cache, platform.board, platform.loops),
        change_feed=ChangeFeed(platform.cache, platform.loops),
        waiting_calls=BoundedSemaphore(_most_waiting_calls(settings.api_threads)),
        streams=stream_slots(most_streams),
        exports=Exports(storage, slots, _few_exports(settings.api_threads)),
        clock=time.time,
    )


def _fleet_probe(platform: Platform) -> FleetProbe:
    return FleetProbe(
        mongo=platform.mongo,
        backlog=platform.backlog,
        schedules=platform.schedules,
        subscriptions=platform.subscriptions,
        calendars=platform.calendars,
        series_counts=SeriesCounts(platform.statuses, platform.guard, time.time),
        fleet=platform.fleet,
        governor=platform.governor,
        board=platform.board,
        tick_problems=platform.tick_problems,
        dispatcher=platform.dispatcher,
        shards=[shard.name for shard in all_shards(platform.settings.streamer_shards)],
        clock=time.time,
    )


def _ohlcv(platform: Platform) -> OhlcvReader:
    subscriber = open_redis(platform.settings.redis_url, _SUBSCRIBER_SECONDS)
    cache = LocalCache(platform.responses, FreshTokens(platform.responses, subscriber))
    generations = platform.generations
    chunks = ChunkCache(platform.bars, generations, cache)
    stored = StoredBars(platform.bars, platform.shown_bars, generations, chunks)
    calendars = platform.cached_calendars
    return OhlcvReader(stored, platform.statuses, calendars, cache, platform.revisions)


def _most_waiting_calls(threads: int) -> int:
    """Three quarters of the threads may wait for syncs; the others serve quick requests."""
    return max(1, threads * 3 // 4)


def _most_arriving_bodies(threads: int) -> int:
    """A late body holds its thread; the other half serves requests without a body."""
    return max(1, threads // 2)


def _few_streams(threads: int) -> int:
    """A stream holds its thread; an eighth of them may be held for long."""
    return max(1, threads // 8)


def _some_exports(threads: int) -> int:
    """An export holds its thread until it is read; a quarter of the threads may be held so."""
    return max(2, threads // 4)


def _few_exports(threads: int) -> int:
    """An export takes some megabytes while it is written; one for 16 threads may be."""
    return max(1, threads // 16)


def _install_api(app: Flask) -> None:
    api = Api(app, spec_kwargs={"marshmallow_plugin": PydanticPlugin(), **documentation.SPEC})
    for name, scheme in SECURITY_SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    for module in (
        *(syncs, backfills, jobs, bars, symbols, calendars, coverage, quotes, changes),
        *(schedules, dead_letters, keys, fleet),
    ):
        url = f"{documentation.PREFIX}{module.blueprint.url_prefix}"
        api.register_blueprint(module.blueprint, url_prefix=url)
    api.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    app.register_blueprint(udf.blueprint)
    documentation.install(app)
