"""Reads with PyPI's tvkit, unmodified but for its URLs.

The arguments are the URLs of a WebSocket and a website. Standard input has a JSON list of
requests; for each, standard output gets rows of time, open, high, low, close and volume:

    ["newest", symbol, interval, count]
    ["range", symbol, interval, start, end]
    ["live", symbol, bars]                     until so many have begun after the first answer
    ["price", symbol]                          one row of one value, the last price of a quote
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import httpx
import tvkit.api.chart.ohlcv
from tvkit.api.chart.ohlcv import OHLCV

_SITE = "https://www.tradingview.com"


async def main(url: str, site: str) -> None:
    tvkit.api.chart.ohlcv._STANDARD_WS_URL = url
    httpx.AsyncClient.get = redirected(httpx.AsyncClient.get, site)  # type: ignore[method-assign]
    answers = []
    for kind, *arguments in json.load(sys.stdin):
        async with OHLCV(max_attempts=1) as client:
            answers.append(await _KINDS[kind](client, *arguments))
    json.dump(answers, sys.stdout)


def redirected(get: Callable[..., Any], site: str) -> Callable[..., Any]:
    """Requests another website; all else is unchanged."""
    return lambda client, url: get(client, url.replace(_SITE, site))


def rows(bars: Iterable[Any]) -> list[list[float]]:
    return [[bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume] for bar in bars]


async def newest(client: OHLCV, symbol: str, interval: str, count: int) -> list[list[float]]:
    return rows(await client.get_historical_ohlcv(symbol, interval, count))


async def of_range(
    client: OHLCV, symbol: str, interval: str, start: int, end: int
) -> list[list[float]]:
    first, last = (datetime.fromtimestamp(moment, UTC) for moment in (start, end))
    return rows(await client.get_historical_ohlcv(symbol, interval, start=first, end=last))


async def live(client: OHLCV, symbol: str, count: int) -> list[list[float]]:
    bars: dict[float, Any] = {}
    known = 5
    async for bar in client.get_ohlcv(symbol, "1", known):
        bars[bar.timestamp] = bar
        if len(bars) == known + count:
            break
    return rows(bars[time] for time in sorted(bars))


async def price(client: OHLCV, symbol: str) -> list[list[float]]:
    async for quote in client.get_quote_data(symbol):
        return [[quote.current_price or 0.0]]
    return []


_KINDS: dict[str, Callable[..., Any]] = {
    "newest": newest,
    "range": of_range,
    "live": live,
    "price": price,
}

if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
