"""Reads with PyPI's tradingview-scraper, unmodified but for its URLs and pauses.

The arguments are the URLs of a WebSocket and a website. Standard input has a JSON list of
requests; standard output gets the answer to each:

    ["export", exchange, ticker, timeframe, count]   rows of time, open, high, low, close, volume
    ["live", symbol, methods]                        its messages, until these methods came in order
    ["quotes", symbols, count]                       so many of its messages about quotes
"""

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import requests
from tradingview_scraper.symbols.stream import (
    RealTimeData,
    Streamer,
    price,
    stream_handler,
    streamer,
)

_SITE = "https://scanner.tradingview.com"


def main(url: str, site: str) -> None:
    for module in (price, stream_handler):
        module.create_connection = redirected(module.create_connection, url)
    for module in (price, streamer):
        module.sleep = lambda _: None  # a second before each text
    get = requests.get
    requests.get = lambda url, **options: get(url.replace(_SITE, site), **options)
    with redirect_stdout(sys.stderr):  # the library prints
        answers = [_KINDS[kind](*arguments) for kind, *arguments in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


def redirected(connect: Callable[..., Any], url: str) -> Callable[..., Any]:
    """Connects to another URL; all else is unchanged."""
    return lambda _, **options: connect(url, **options)


def export(exchange: str, ticker: str, timeframe: str, count: int) -> list[list[float]]:
    exported = Streamer(export_result=True).stream(exchange, ticker, timeframe, count)
    names = ("timestamp", "open", "high", "low", "close", "volume")
    return [[bar[name] for name in names if name in bar] for bar in exported["ohlc"]]


def live(symbol: str, methods: list[str]) -> list[dict[str, Any]]:
    awaited, messages = list(methods), []
    for message in RealTimeData().get_ohlcv(symbol):
        messages.append(message)
        if message.get("m") == awaited[0]:
            awaited.pop(0)
        if not awaited:
            break
    return messages


def quotes(symbols: list[str], count: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for message in RealTimeData().get_latest_trade_info(symbols):
        if message.get("m") == "qsd":
            messages.append(message["p"][1])
        if len(messages) >= count:
            break
    return messages


_KINDS: dict[str, Callable[..., Any]] = {"export": export, "live": live, "quotes": quotes}

if __name__ == "__main__":
    main(*sys.argv[1:])
