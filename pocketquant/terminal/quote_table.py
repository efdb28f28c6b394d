"""Formats quotes for a terminal: many in a table, or one in a line."""

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from pocketquant.client.responses import Quote
from pocketquant.domain.intervals import MINUTE
from pocketquant.domain.quotes import delay_seconds

_HEADINGS = ("symbol", "last", "change", "%", "bid", "ask", "volume", "UTC", "mode")
_LEFT = frozenset({"symbol", "UTC", "mode"})
_TIME_OF_DAY = slice(11, 19)  # of 2024-01-31T18:00:00Z
_SHRINKABLE = "mode"  # the first column cut short on a narrow terminal
_UNKNOWN = "-"
_MAX_DECIMALS = 8
_MIN_DECIMALS = 2
_SHORT_MODES: dict[str | None, str] = {"streaming": "live"}
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def name_of(quote: Mapping[str, object]) -> str:
    """Return the quote's symbol as `EXCHANGE:TICKER`."""
    return f"{quote['exchange']}:{quote['symbol']}"


def quote_table(
    symbols: Iterable[str],
    quotes: Mapping[str, Quote],
    directions: Mapping[str, float],
    refused: Iterable[str],
) -> Table:
    """Return a table with a row for each symbol, with or without a quote.

    `directions` holds each last price's change: it is green after a rise, red after a fall.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading in _HEADINGS:
        table.add_column(
            heading,
            justify="left" if heading in _LEFT else "right",
            no_wrap=heading != _SHRINKABLE,
            overflow="ellipsis",
        )
    refused = frozenset(refused)
    for symbol in symbols:
        if symbol in refused:
            table.add_row(symbol, Text("refused", "red"))
        elif symbol in quotes:
            table.add_row(symbol, *_cells(quotes[symbol], directions.get(symbol, 0.0)))
        else:
            table.add_row(symbol, Text("waiting", "dim"))
    return table


def quote_line(quote: Quote) -> str:
    """Return the quote in one line, in the order of the columns."""
    last, change, bid, ask = _prices(quote)
    return (
        f"{quote['timestamp'] or _UNKNOWN} {name_of(quote)} {last}"
        f" {change} {_percent(quote['change_percent'])} bid {bid} ask {ask}"
        f" volume {_amount(quote['volume'])} {_mode(quote['update_mode'])}"
    )


def _cells(quote: Quote, direction: float) -> tuple[str | Text, ...]:
    last, change, bid, ask = _prices(quote)
    day_colour = _colour(quote["change"] or 0.0)
    return (
        Text(last, _colour(direction)),
        Text(change, day_colour),
        Text(_percent(quote["change_percent"]), day_colour),
        bid,
        ask,
        _amount(quote["volume"]),
        (quote["timestamp"] or "")[_TIME_OF_DAY] or _UNKNOWN,
        _mode(quote["update_mode"]),
    )


def _colour(direction: float) -> str:
    if direction == 0:
        return ""
    return "green" if direction > 0 else "red"


def _prices(quote: Quote) -> tuple[str, str, str, str]:
    """Format last, change, bid and ask with the decimals that the longest of them needs."""
    last, change, bid, ask = quote["last_price"], quote["change"], quote["bid"], quote["ask"]
    decimals = max(_decimals(price) for price in (last, change, bid, ask))
    return (
        _rounded(last, decimals),
        _rounded(change, decimals, sign="+"),
        _rounded(bid, decimals),
        _rounded(ask, decimals),
    )


def _decimals(price: float | None) -> int:
    digits = f"{price or 0.0:.{_MAX_DECIMALS}f}".rstrip("0").partition(".")[2]
    return max(_MIN_DECIMALS, len(digits))


def _rounded(price: float | None, decimals: int, sign: str = "-") -> str:
    return _UNKNOWN if price is None else f"{price:{sign}.{decimals}f}"


def _percent(percent: float | None) -> str:
    return _UNKNOWN if percent is None else f"{percent:+.2f}"


def _amount(amount: float | None) -> str:
    """Format an amount with two decimals and a unit: 1.23M."""
    if amount is None:
        return _UNKNOWN
    for size, unit in _UNITS:
        if amount >= size:
            return f"{amount / size:.2f}{unit}"
    return f"{amount:.2f}"


def _mode(mode: str | None) -> str:
    seconds = delay_seconds(mode)
    return f"-{seconds // MINUTE}min" if seconds else _SHORT_MODES.get(mode, mode) or _UNKNOWN
