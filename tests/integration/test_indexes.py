"""Collections and indexes, made when a process starts."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from pymongo.errors import OperationFailure

from pocketquant.servers.connections import Mongo, open_mongo
from pocketquant.storage.indexes import BAR_COLLECTIONS, make_collections_and_indexes


@pytest.fixture
def mongo(new_mongo: Mongo) -> Mongo:
    """A database in which each collection is noticed."""
    return new_mongo


def _made(mongo: Mongo) -> dict[str, object]:
    return {name: mongo[name].index_information() for name in mongo.list_collection_names()}


def test_making_them_again_changes_nothing(mongo: Mongo) -> None:
    """A repeated start changes no collection and no index."""
    make_collections_and_indexes(mongo)
    made = _made(mongo)
    make_collections_and_indexes(mongo)
    assert made == _made(mongo)
    assert made.keys() >= set(BAR_COLLECTIONS)


@pytest.mark.parametrize("name", BAR_COLLECTIONS)
def test_bars_are_compressed_with_zstd(mongo: Mongo, name: str) -> None:
    """The block compressor is chosen when the collection is made."""
    make_collections_and_indexes(mongo)
    stats = mongo.command("collStats", name)
    assert "block_compressor=zstd" in stats["wiredTiger"]["creationString"]


def test_many_processes_may_make_them_at_once(mongo: Mongo, mongodb_url: str) -> None:
    """Workers that start at the same time all succeed."""
    together = Barrier(8)

    def start(_: int) -> None:
        own = open_mongo(mongodb_url, mongo.name)
        with own.client:
            together.wait()
            make_collections_and_indexes(own)

    with ThreadPoolExecutor(8) as processes:
        list(processes.map(start, range(8)))
    made = _made(mongo)
    make_collections_and_indexes(mongo)
    assert made == _made(mongo)


def test_a_refusal_of_the_server_is_raised(mongodb_url: str) -> None:
    """Failing to make a collection is an error, unless it exists."""
    unnameable = open_mongo(mongodb_url, "x" * 64)
    with unnameable.client, pytest.raises(OperationFailure, match="Invalid namespace"):
        make_collections_and_indexes(unnameable)
