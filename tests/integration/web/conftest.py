"""The Flask application on real servers, and stand-ins for a worker and a streamer."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient

from pocketquant.cache.board_records import StreamerStatus
from pocketquant.cache.board_writer import BoardWriter, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.coordination.nudges import unit_channel
from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import PocketQuantError, Unavailable
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar, SyncReport
from pocketquant.servers.connections import Mongo, wait_until
from pocketquant.settings import Environment, Settings
from pocketquant.storage.api_keys import ApiKeys
from pocketquant.storage.units import Unit
from pocketquant.wiring import Platform
from web.app import create_app


@pytest.fixture
def settings(mongodb_url: str, redis_url: str, mongo: Mongo, cache: redis.Redis) -> Settings:
    """Settings with a database of the test's own and an empty Redis."""
    assert 0 == cache.dbsize()
    return Settings(
        _env_file=None, mongodb_url=mongodb_url, redis_url=redis_url, mongodb_database=mongo.name
    )


@pytest.fixture
def serve() -> Iterator[Callable[..., FlaskClient]]:
    """Makes clients of apps with given settings; their connections are closed after the test."""
    with ExitStack() as ends:

        def make(settings: Settings) -> FlaskClient:
            app = create_app(settings)
            platform = platform_of(app)
            ends.callback(platform.close)
            ends.callback(wait_until, "nothing is followed", is_unfollowed, (), 60.0)
            return app.test_client()

        yield make


@pytest.fixture
def client(serve: Callable[..., FlaskClient], settings: Settings) -> FlaskClient:
    """A client of an application with the default settings."""
    return serve(settings)


@pytest.fixture
def platform(client: FlaskClient) -> Platform:
    """The objects behind the client's application."""
    return platform_of(client.application)


@pytest.fixture
def guarded(serve: Callable[..., FlaskClient], settings: Settings) -> FlaskClient:
    """A client of an API in production."""
    return serve(settings.model_copy(update={"environment": Environment.PRODUCTION}))


@pytest.fixture
def keys(platform: Platform) -> ApiKeys:
    return platform.api_keys


@pytest.fixture
def store(platform: Platform) -> Callable[..., None]:
    """Stores bars of a series with its status, and drops cached answers, as a sync does."""

    def put(key: str, bars: Bars, forming: FormingBar | None = None) -> None:
        series = Series.parse(key)
        platform.bars.upsert({series: bars})
        platform.statuses.mark_completed(report_of(platform, series), forming, now=1_700_000_000)
        platform.responses.drop(series)

    return put


@pytest.fixture
def work(platform: Platform) -> Callable[..., Unit]:
    """Runs the one queued unit as a worker would: completes it, or ends it with an error."""

    def one(error: PocketQuantError | None = None) -> Unit:
        (found,) = platform.mongo["units"].find({"state": "queued"})
        unit = platform.ledger.claim(found["_id"])
        assert unit is not None
        if error is None:
            report = report_of(platform, unit.request.series)
            platform.ledger.finish(unit, report)
        elif isinstance(error, Unavailable):
            platform.ledger.defer(unit, error, delay_seconds=60)
        else:
            platform.ledger.fail(unit, error)
        platform.nudges.announce(unit_channel(unit.id))
        return unit

    return one


@pytest.fixture
def attend(cache: redis.Redis) -> Callable[..., None]:
    """Publishes a shard's status, as its streamer does each second."""

    def one(shard: str, **fields: Any) -> None:
        lease = Leases(cache, seconds=60.0).acquire(f"streamer:{shard}")
        assert lease is not None
        now = time.time()
        status = StreamerStatus(shard, "node-1", 7, started_at=now, as_of=now, **fields)
        writer = BoardWriter(cache, shard, lease.key, lease.token)
        writer.write(Flush(as_of=now, seen_until=now, status=status))

    return one


@pytest.fixture
def daily() -> Callable[[int], Bars]:
    """`daily(n)`: n daily bars from 1970-01-01 on, whose close is their number."""

    def make(count: int) -> Bars:
        numbers = np.arange(count, dtype=np.float64)
        flat = [numbers, numbers + 1, numbers - 1, numbers, 10 * numbers]
        return Bars(np.array([86_400 * numbers, *flat]))

    return make


def is_unfollowed() -> bool:
    """Whether the threads behind streams have ended."""
    return not {"quote-feed", "change-feed"} & {thread.name for thread in threading.enumerate()}


def platform_of(app: Any) -> Platform:
    found: Platform = app.extensions["pocketquant"].platform
    return found


def report_of(platform: Platform, series: Series) -> SyncReport:
    extent = platform.bars.extent(series)
    return SyncReport(
        series=series,
        fetched=7,
        inserted=4,
        changed=1,
        unchanged=0,
        refused={"not_finite": 1, "bad_time": 1},
        bar_count=extent.count,
        first_bar_at=extent.first_time,
        last_bar_at=extent.last_time,
    )
