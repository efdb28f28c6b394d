"""`events`: print the splits and dividends of a symbol."""

import click

from pocketquant.commands.options import SYMBOL, api_options, client_of
from pocketquant.commands.output import print_rows

_COLUMNS = (
    *("kind", "source", "found_at", "before", "factor", "ex_date", "amount"),
    *("found_by", "job_id"),
)


@click.command()
@click.argument("symbol", type=SYMBOL)
@api_options
def events(symbol: str, url: str | None, as_json: bool) -> None:
    """Print the splits and dividends of a symbol, those found last first.

    \b
    pocketquant events NASDAQ:AAPL
    """
    print_rows(client_of(url).series.events(symbol)["events"], _COLUMNS, as_json)
