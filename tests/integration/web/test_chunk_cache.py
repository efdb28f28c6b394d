"""Chunks of history kept in a web process, on a real mongod and a real Redis."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocketquant.cache.responses import ResponseCache
from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import MINUTE
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo
from pocketquant.storage.bars import BarStore
from pocketquant.storage.chunks import CHUNK_PERIODS
from pocketquant.storage.generations import Generations
from web.bars.chunk_cache import ChunkCache, EncodedChunk
from web.bars.fresh_tokens import FreshTokens
from web.bars.local_cache import LocalCache
from web.encoding import encode_rows

AAPL = Series.parse("NASDAQ:AAPL|1m")
URL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL?interval=1m"
TIMES = [  # in minutes: bars in a row, three days without any, and a few far apart
    *range(3000),
    *range(8000, 8100),
    *range(20_000, 60_000, 700),
]


def _bars(minutes: Sequence[int]) -> Bars:
    time = MINUTE * np.array(minutes, dtype=float)
    return Bars(np.array([time, time + 2, time + 3, time + 1, time + 2, time]))


@pytest.fixture
def bars(mongo: Mongo) -> BarStore:
    """A store with the bars of TIMES."""
    store = BarStore(mongo)
    store.upsert({AAPL: _bars(TIMES)})
    return store


@pytest.fixture
def cached(bars: BarStore, mongo: Mongo, cache: redis.Redis) -> ChunkCache:
    """The cache of one process."""
    responses = ResponseCache(cache)
    local = LocalCache(responses, FreshTokens(responses, cache))
    return ChunkCache(bars, Generations(mongo), local)


bounds = st.none() | st.integers(-10, 60_010).map(lambda minute: minute * MINUTE)


@given(bounds, bounds, st.integers(1, 5000), st.booleans())
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_range_is_the_one_in_the_store(
    cached: ChunkCache, start: int | None, end: int | None, limit: int, newest: bool
) -> None:
    """In both orders, across gaps, whichever ranges were read before."""
    expected = cached.bars.read(AAPL, start, end, limit, newest)
    found = cached.read(AAPL, start, end, limit, newest, b"token")
    assert expected == found.bars
    assert found.rows in (None, encode_rows(expected))


def test_a_kept_chunk_is_not_read_again_until_its_token_ends(
    cached: ChunkCache, mongo: Mongo
) -> None:
    """Another range of these chunks is read without MongoDB; under a new token MongoDB is read."""
    first = (None, 2000 * MINUTE, 500, True)
    cached.read(AAPL, *first, b"token")
    mongo.ohlcv.delete_many({})
    again = cached.read(AAPL, None, 1900 * MINUTE, 500, True, b"token")
    bars = _bars(range(1400, 1900))
    assert EncodedChunk(bars, encode_rows(bars)) == again
    assert EncodedChunk(Bars.empty()) == cached.read(AAPL, *first, b"another")


def test_a_chunk_that_is_gone_has_no_bars(cached: ChunkCache, mongo: Mongo) -> None:
    """Though its id is still kept: the rest of the range is returned."""
    end = 3 * CHUNK_PERIODS * MINUTE
    cached.read(AAPL, 8000 * MINUTE, None, 1, False, b"token")  # the ids, and a chunk elsewhere
    mongo.ohlcv.delete_one({"_id": cached.bars.chunk_ids(AAPL)[1]})
    expected = _bars([*range(CHUNK_PERIODS), *range(2 * CHUNK_PERIODS, 3000)])
    assert expected == cached.read(AAPL, None, end, 5000, True, b"token").bars


def test_a_changed_bar_is_served_at_once(
    client: FlaskClient, store: Callable[..., None], mongo: Mongo
) -> None:
    """Ranges before history's end come from kept chunks; a write of old bars invalidates them."""
    store(str(AAPL), _bars(range(3000)))
    end = "&end_date=1970-01-02T00:00:00Z"
    client.get(f"{URL}{end}&limit=5")
    mongo.ohlcv.update_many({}, {"$set": {"columns": b""}})  # nobody may read them now
    kept = client.get(f"{URL}{end}&limit=3").json["data"]
    assert [86_342.0, 86_282.0, 86_222.0] == [bar["close"] for bar in kept]
    mongo.ohlcv.delete_many({})
    newer = _bars(range(3000))
    newer.columns[1:5, 1439] += 1000
    store(str(AAPL), newer)
    changed = client.get(f"{URL}{end}&limit=3").json["data"]
    assert [87_342.0, 86_282.0, 86_222.0] == [bar["close"] for bar in changed]
