"""Real servers for all tests: one private mongod and one redis-server a run."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
import redis

from pocketquant.machine import embedded
from pocketquant.servers.connections import Mongo, open_mongo

# A busy machine must not fail a property; the run as a whole has its time-outs.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for tests that CI runs at a part of their size."""
    parser.addoption("--whole", action="store_true", help="run shortened tests at their whole size")


@pytest.fixture(scope="session")
def is_whole(request: pytest.FixtureRequest) -> bool:
    """Whether tests that have a shorter form run at their whole size."""
    return bool(request.config.getoption("--whole"))


@pytest.fixture(scope="session")
def mongodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private mongod, for the whole run."""
    server = embedded.private_mongod(tmp_path_factory.mktemp("mongod"))
    with embedded.running(server):
        yield server.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private redis-server, for the whole run."""
    server = embedded.private_redis(tmp_path_factory.mktemp("redis"))
    with embedded.running(server):
        yield server.url


@pytest.fixture
def mongo(mongodb_url: str) -> Iterator[Mongo]:
    """An empty database of its own for each test."""
    database = open_mongo(mongodb_url, f"test_{uuid4().hex[:12]}")
    with database.client as client:
        yield database
        client.drop_database(database)


@pytest.fixture
def cache(redis_url: str) -> Iterator[redis.Redis]:
    """An emptied Redis for each test."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def wire() -> Path:
    """The folder of messages captured from the real server."""
    return Path(__file__).parent / "wire"
