"""How quotes look in a terminal: a table of many, or a line of one."""

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from pocketquant.client.responses import Quote
from pocketquant.domain.intervals import MINUTE
from pocketquant.domain.quotes import delay_seconds

_HEADINGS = ("symbol", "last", "change", "%", "bid", "ask", "volume", "UTC", "mode")
_LEFT = frozenset({"symbol", "UTC", "mode"})
_TIME_OF_DAY = slice(11, 19)  # of 2024-01-31T18:00:00Z
_FIRST_TO_GO = "mode"  # where the terminal is narrow
_UNKNOWN = "-"
_MOST_DECIMALS = 8
_FEWEST_DECIMALS = 2
_SHORT_MODES: dict[str | None, str] = {"streaming": "live"}
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def name_of(quote: Mapping[str, object]) -> str:
    """`EXCHANGE:TICKER`."""
    return f"{quote['exchange']}:{quote['symbol']}"


def quote_table(
    symbols: Iterable[str],
    quotes: Mapping[str, Quote],
    directions: Mapping[str, float],
    refused: Iterable[str],
) -> Table:
    """A row for each symbol, whether or not there is a quote of it.

    `directions` tell where the last price went: it is green after it rose, red after it fell.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading in _HEADINGS:
        table.add_column(
            heading,
            justify="left" if heading in _LEFT else "right",
            no_wrap=heading != _FIRST_TO_GO,
            overflow="ellipsis",
        )
    known_as_refused = frozenset(refused)
    for symbol in symbols:
        if symbol in known_as_refused:
            table.add_row(symbol, Text("refused", "red"))
        elif symbol in quotes:
            table.add_row(symbol, *_cells(quotes[symbol], directions.get(symbol, 0.0)))
        else:
            table.add_row(symbol, Text("waiting", "dim"))
    return table


def quote_line(quote: Quote) -> str:
    """The quote in words, of the same order as the columns."""
    last, change, bid, ask = _prices(quote)
    return (
        f"{quote['timestamp'] or _UNKNOWN} {name_of(quote)} {last}"
        f" {change} {_percent(quote['change_percent'])} bid {bid} ask {ask}"
        f" volume {_amount(quote['volume'])} {_mode(quote['update_mode'])}"
    )


def _cells(quote: Quote, direction: float) -> tuple[str | Text, ...]:
    last, change, bid, ask = _prices(quote)
    of_day = _colour(quote["change"] or 0.0)
    return (
        Text(last, _colour(direction)),
        Text(change, of_day),
        Text(_percent(quote["change_percent"]), of_day),
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
    """Last, change, bid and ask, with as many decimals as the one of them that needs most."""
    last, change, bid, ask = quote["last_price"], quote["change"], quote["bid"], quote["ask"]
    decimals = max(_decimals(price) for price in (last, change, bid, ask))
    return (
        _rounded(last, decimals),
        _rounded(change, decimals, sign="+"),
        _rounded(bid, decimals),
        _rounded(ask, decimals),
    )


def _decimals(price: float | None) -> int:
    digits = f"{price or 0.0:.{_MOST_DECIMALS}f}".rstrip("0").partition(".")[2]
    return max(_FEWEST_DECIMALS, len(digits))


def _rounded(price: float | None, decimals: int, sign: str = "-") -> str:
    return _UNKNOWN if price is None else f"{price:{sign}.{decimals}f}"


def _percent(percent: float | None) -> str:
    return _UNKNOWN if percent is None else f"{percent:+.2f}"


def _amount(amount: float | None) -> str:
    """Three or more digits of it."""
    if amount is None:
        return _UNKNOWN
    for size, unit in _UNITS:
        if amount >= size:
            return f"{amount / size:.2f}{unit}"
    return f"{amount:.2f}"


def _mode(mode: str | None) -> str:
    seconds = delay_seconds(mode)
    return f"-{seconds // MINUTE}min" if seconds else _SHORT_MODES.get(mode, mode) or _UNKNOWN
