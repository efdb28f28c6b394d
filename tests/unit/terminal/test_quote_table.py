"""Quotes in a terminal."""

import io
from typing import Any

import pytest
from rich.console import Console

from pocketquant.terminal.quote_table import quote_line, quote_table

Json = dict[str, Any]

AAPL: Json = {
    "symbol": "AAPL",
    "exchange": "NASDAQ",
    "timestamp": "2024-01-31T18:00:00Z",
    "last_price": 184.4,
    "bid": 184.39,
    "ask": 184.41,
    "volume": 55467803.0,
    "change": -3.64,
    "change_percent": -1.94,
    "open_price": 187.04,
    "high_price": 187.1,
    "low_price": 184.35,
    "prev_close": 188.04,
    "update_mode": "streaming",
}
CELLS = ["184.40", "-3.64", "-1.94", "184.39", "184.41", "55.47M", "18:00:00", "live"]
EMPTY: Json = dict.fromkeys(AAPL) | {"symbol": "RUT", "exchange": "TVC"}


def drawn(table: Any, styled: bool = False) -> list[str]:
    """Return the lines that a terminal of 80 columns shows."""
    file = io.StringIO()
    colours = "standard" if styled else None
    Console(file=file, width=80, force_terminal=styled, color_system=colours).print(table)
    return file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            "2024-01-31T18:00:00Z NASDAQ:AAPL 184.40 -3.64 -1.94 bid 184.39 ask 184.41"
            " volume 55.47M live",
        ),
        (
            {"last_price": 60123.5, "change": 0.0012, "volume": 12.5, "change_percent": 0.0},
            "2024-01-31T18:00:00Z NASDAQ:AAPL 60123.5000 +0.0012 +0.00 bid 184.3900 ask 184.4100"
            " volume 12.50 live",
        ),
        (
            {"update_mode": "delayed_streaming_900", "last_price": 100.0, "volume": 1e12},
            "2024-01-31T18:00:00Z NASDAQ:AAPL 100.00 -3.64 -1.94 bid 184.39 ask 184.41"
            " volume 1.00T -15min",
        ),
    ],
)
def test_a_line(changes: Json, expected: str) -> None:
    """Prices have the decimals they need and at least two; the day's volume is abbreviated."""
    assert expected == quote_line(AAPL | changes)


def test_a_missing_value_is_a_dash() -> None:
    """A missing value is a dash in a line and in a table."""
    assert "- TVC:RUT - - - bid - ask - volume - -" == quote_line(EMPTY)
    assert ["TVC:RUT", *"--------"] == drawn(quote_table(["TVC:RUT"], {"TVC:RUT": EMPTY}, {}, ()))[
        1
    ].split()


def test_a_table_has_a_row_for_each_symbol() -> None:
    """Rows are in the requested order and fit the terminal, also without a quote."""
    symbols = ["BINANCE:BTCUSDT", "NASDAQ:AAPL", "NASDAQ:NONE"]
    lines = drawn(quote_table(symbols, {"NASDAQ:AAPL": AAPL}, {}, ["NASDAQ:NONE"]))
    assert [
        ["symbol", "last", "change", "%", "bid", "ask", "volume", "UTC", "mode"],
        ["BINANCE:BTCUSDT", "waiting"],
        ["NASDAQ:AAPL", *CELLS],
        ["NASDAQ:NONE", "refused"],
    ] == [line.split() for line in lines]


@pytest.mark.parametrize(("direction", "colour"), [(0.1, 32), (-0.1, 31)])
def test_the_last_price_has_the_colour_of_its_change(direction: float, colour: int) -> None:
    """The last price is green after a rise, red after a fall, whatever the day's change."""
    table = quote_table(["NASDAQ:AAPL"], {"NASDAQ:AAPL": AAPL}, {"NASDAQ:AAPL": direction}, ())
    (row,) = drawn(table, styled=True)[1:]
    assert f"\x1b[{colour}m184.40\x1b[0m" in row
    assert "\x1b[31m-1.94\x1b[0m" in row
