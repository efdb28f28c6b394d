"""The peer of the REST benchmark: a typical FastAPI endpoint."""

import datetime as dt
import json
import os

import redis.asyncio as redis
from fastapi import FastAPI
from pydantic import BaseModel


class Bar(BaseModel):
    """A bar."""

    datetime: dt.datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None


class Ohlcv(BaseModel):
    """The response model."""

    symbol: str
    exchange: str
    interval: str
    data: list[Bar]
    count: int


def rows_key(limit: int) -> str:
    """Return the Redis key of the newest `limit` bars as rows."""
    return f"peer:rows:{limit}"


app = FastAPI()
_cache = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1"))


@app.get("/ohlcv/{exchange}/{symbol}", response_model=Ohlcv)
async def ohlcv(exchange: str, symbol: str, interval: str = "1d", limit: int = 1000) -> object:
    """Return bars from Redis."""
    rows = json.loads(await _cache.get(rows_key(limit)) or b"[]")
    return {
        "symbol": symbol,
        "exchange": exchange,
        "interval": interval,
        "data": rows,
        "count": len(rows),
    }
