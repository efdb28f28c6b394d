"""The peer of the scaling benchmark: tvdatafeed in a loop, one series after the other.

The library is that of PyPI with another URL. Bars are fetched and thrown away; storing them would
take longer. Prints the seconds of the loop.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import tvDatafeed.main
from tvDatafeed import Interval, TvDatafeed


def main(url: str, first: int, count: int, n_bars: int) -> None:
    module: Any = tvDatafeed.main
    module.create_connection = _redirected(module.create_connection, url)
    client = TvDatafeed(token_cache_file=os.devnull)
    began = time.perf_counter()
    for number in range(first, first + count):
        bars = client.get_hist(f"S{number:04}", "SIM", Interval.in_1_minute, n_bars)
        if bars is None or len(bars) < n_bars - 1:
            sys.exit(f"S{number:04} was not fetched")
    print(time.perf_counter() - began)


def _redirected(connect: Callable[..., Any], url: str) -> Callable[..., Any]:
    return lambda _, *arguments, **options: connect(url, *arguments, **options)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
