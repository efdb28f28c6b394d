"""The product's own objects on real servers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from celery.signals import setup_logging

from pocketquant.servers.connections import Mongo
from pocketquant.settings import Settings
from pocketquant.simulator.server import Simulator, running
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform, wire
from tests.integration.ranges import NOW, premium


@pytest.fixture
def wire_with(
    mongo: Mongo, mongodb_url: str, redis_url: str, cache: redis.Redis
) -> Iterator[Callable[..., Platform]]:
    """Builds platforms on an empty database and an empty Redis, with the test's settings."""
    make_collections_and_indexes(mongo)
    with ExitStack() as ends:

        def make(**changes: Any) -> Platform:
            servers = {"mongodb_url": mongodb_url, "redis_url": redis_url}
            platform = wire(Settings(**{**servers, "mongodb_database": mongo.name, **changes}))
            ends.callback(platform.close)
            return platform

        yield make


@pytest.fixture
def wired(wire_with: Callable[..., Platform]) -> Platform:
    """A platform with the default settings."""
    return wire_with()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator whose clock stands still."""
    with running(clock=lambda: float(NOW)) as simulator:
        yield simulator


@pytest.fixture
def platform(wire_with: Callable[..., Platform], simulator: Simulator) -> Platform:
    """A platform with an account that may have 20,000 bars of a series."""
    return premium(wire_with, simulator)


@pytest.fixture
def logs_left_alone() -> Iterator[None]:
    """Keeps an in-process worker from setting up logging for the whole test run."""

    def nothing(**_: object) -> None:
        """Replace Celery's own setup, which runs only without a receiver."""

    setup_logging.connect(nothing)
    yield
    setup_logging.disconnect(nothing)
