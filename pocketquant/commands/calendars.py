"""`calendar`: print the trading hours of a symbol."""

import click

from pocketquant.client.responses import Calendar
from pocketquant.commands.options import SYMBOL, api_options, client_of
from pocketquant.commands.output import print_json, print_one, print_rows

_SESSION = ("trading_day", "open", "close")


@click.command()
@click.argument("symbol", type=SYMBOL)
@click.option(
    "--start",
    default=None,
    help="Only sessions that end after it, ISO 8601; by default a week ago.",
)
@click.option(
    "--end", default=None, help="Only sessions that open before it; by default in 30 days."
)
@api_options
def calendar(
    symbol: str, start: str | None, end: str | None, url: str | None, as_json: bool
) -> None:
    """Print the trading hours of a symbol.

    Sessions in UTC, holidays, the next open and close.

    \b
    pocketquant calendar NASDAQ:AAPL --start 2026-11-23 --end 2026-12-01
    """
    found = client_of(url).calendar(symbol, start, end)
    if as_json:
        print_json(found)
        return
    print_one(_summary(found), as_json=False)
    print_rows(found["sessions"], _SESSION, as_json=False)


def _summary(found: Calendar) -> dict[str, object]:
    """Return all fields except the sessions and empty ones, with doubts as texts."""
    doubts = [f"{each['interval']}: {each['opened_at']}" for each in found["doubts"]]
    fields = {**found, "sessions": None, "bars not predicted": doubts}
    del fields["doubts"]
    return {name: value for name, value in fields.items() if value not in (None, [])}
