"""Real servers for all tests: one private mongod and one redis-server a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
import redis

from pocketquant.machine import embedded
from pocketquant.servers.connections import Mongo, open_mongo
from pocketquant.storage.indexes import make_collections_and_indexes

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


class Databases:
    """Databases of a mongod for one test at a time; those with all indexes are used again.

    Making and dropping them takes longer than most tests.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._emptied: list[str] = []
        with self._open().client as client:
            reference = client["reference"]
            make_collections_and_indexes(reference)
            self._made = _made(reference)

    def lend(self, *, is_new: bool = False) -> Iterator[Mongo]:
        """Yield an empty database, which may have collections and indexes unless it is new."""
        database = self._open(is_new=is_new)
        with database.client as client:
            yield database
            if _made(database) == self._made:
                for name in self._made:
                    database[name].delete_many({})
                self._emptied.append(database.name)
            else:
                client.drop_database(database)

    def _open(self, *, is_new: bool = True) -> Mongo:
        is_reused = self._emptied and not is_new
        name = self._emptied.pop() if is_reused else f"test_{uuid4().hex[:12]}"
        return open_mongo(self._url, name)


def _made(database: Mongo) -> dict[str, Any]:
    """Return the options and indexes of each collection."""
    return {
        each["name"]: (each["options"], database[each["name"]].index_information())
        for each in database.list_collections()
    }


@pytest.fixture(scope="session")
def databases(mongodb_url: str) -> Databases:
    """The databases of all tests of a process."""
    return Databases(mongodb_url)


@pytest.fixture
def mongo(databases: Databases) -> Iterator[Mongo]:
    """An empty database for each test."""
    yield from databases.lend()


@pytest.fixture
def new_mongo(databases: Databases) -> Iterator[Mongo]:
    """A database without collections, for each test."""
    yield from databases.lend(is_new=True)


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
