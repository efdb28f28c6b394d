"""The Python client, from a sync to DataFrames."""

from datetime import UTC, datetime
from typing import Any

import pytest

import pocketquant
from pocketquant.domain.errors import InvalidRequest, NotFound, Unavailable

PRICES = ["open", "high", "low", "close", "volume"]


@pytest.fixture
def client(platform: Any) -> pocketquant.Client:
    """A client of an API that has five hundred days of one symbol."""
    made = pocketquant.Client(platform.url)
    assert "completed" == made.sync("NASDAQ:AAPL", "1d", 500)["status"]
    return made


def test_bars_are_a_data_frame(client: pocketquant.Client) -> None:
    """In order of time, with the values that the API tells as JSON."""
    frame = client.bars("NASDAQ:AAPL")
    told = client.ohlcv("NASDAQ:AAPL", "1d", limit=5000, order="asc")["data"]
    assert len(told) == len(frame)
    assert ("datetime", "UTC") == (frame.index.name, str(frame.index.tz))
    assert PRICES == list(frame.columns)
    assert [bar["datetime"] for bar in told] == list(frame.index.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert [[bar[name] for name in PRICES] for bar in told] == frame.to_numpy().tolist()


def test_the_newest_bars_of_a_range(client: pocketquant.Client) -> None:
    """A limit leaves the newest ones; moments may be texts, dates or datetimes."""
    whole = client.bars("NASDAQ:AAPL")
    end = whole.index[-10].to_pydatetime()
    assert whole[-13:-10].equals(client.bars("NASDAQ:AAPL", end=end, limit=3))
    start = whole.index[-10].date()
    assert whole[-10:].equals(client.bars("NASDAQ:AAPL", start=start))
    assert whole[-10:].equals(client.bars("NASDAQ:AAPL", start=start.isoformat()))
    with pytest.raises(InvalidRequest, match="no time zone"):
        client.bars("NASDAQ:AAPL", start=datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def test_other_frames(client: pocketquant.Client) -> None:
    """Polars and Arrow have the same columns."""
    for frame in ("polars", "arrow"):
        made = client.bars("NASDAQ:AAPL", limit=4, frame=frame)  # type: ignore[arg-type]
        assert ["datetime", *PRICES] == list(getattr(made, "column_names", None) or made.columns)
        assert 4 == len(made)


def test_what_is_found_can_be_synced(client: pocketquant.Client) -> None:
    """A search tells names that a sync takes."""
    found = client.search("RELIANCE")["symbols"][0]
    name = f"{found['exchange']}:{found['symbol']}"
    assert "completed" == client.sync(name, "1d", 10)["status"]
    assert len(client.bars(name)) > 0


def test_errors_have_names(client: pocketquant.Client, simulator: Any) -> None:
    """Those of the API, and of what else may answer there."""
    with pytest.raises(NotFound, match="never synced"):
        client.bars("NASDAQ:MSFT", "1M")
    elsewhere = pocketquant.Client(simulator.http_url)
    with pytest.raises(Unavailable, match="not as a PocketQuant"):
        elsewhere.fleet()
