"""Fetches bars with an unmodified `tvDatafeed`, whichever is installed, from another URL.

The argument is the URL of a WebSocket. Standard input has a JSON list of calls: method, ticker,
exchange, interval, number of bars. For each, standard output gets rows of time, open, high, low,
close and volume.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import tvDatafeed.main
from tvDatafeed import Interval, TvDatafeed


def main(url: str) -> None:
    for name in ("create_connection", "connect"):
        if hasattr(tvDatafeed.main, name):
            setattr(tvDatafeed.main, name, redirected(getattr(tvDatafeed.main, name), url))
    client = TvDatafeed()
    json.dump([rows_of(client, *request) for request in json.load(sys.stdin)], sys.stdout)


def redirected(connect: Callable[..., Any], url: str) -> Callable[..., Any]:
    """Connects to another URL; all else is unchanged."""
    return lambda _, *arguments, **options: connect(url, *arguments, **options)


def rows_of(
    client: TvDatafeed, method: str, ticker: str, exchange: str, interval: str, count: int
) -> list[list[float]]:
    bars = getattr(client, method)(ticker, exchange, Interval[interval], count)
    columns = bars[["open", "high", "low", "close", "volume"]].to_numpy().tolist()
    times = bars.index if bars.index.tz else bars.index.tz_localize("UTC")
    return [[time.timestamp(), *row] for time, row in zip(times, columns, strict=True)]


if __name__ == "__main__":
    main(sys.argv[1])
