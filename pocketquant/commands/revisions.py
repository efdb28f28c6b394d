"""`revisions`: print how stored bars of a series changed."""

from itertools import islice

import click

from pocketquant.client.responses import Revision
from pocketquant.commands.options import SYMBOL, api_options, client_of, interval_option
from pocketquant.commands.output import print_json, print_rows

_COLUMNS = (
    *("replaced_at", "bars", "first_bar_at", "last_bar_at"),
    *("largest_change", "reason", "job_id"),
)


@click.command()
@click.argument("symbol", type=SYMBOL)
@interval_option
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@api_options
def revisions(symbol: str, interval: str, limit: int, url: str | None, as_json: bool) -> None:
    """Print how stored bars of a series changed, the newest change first.

    \b
    pocketquant revisions NASDAQ:AAPL -i 1d
    """
    found = list(islice(client_of(url).series.revisions(symbol, interval), limit))
    if as_json:
        print_json(found)
    else:
        print_rows([{**each, "largest_change": _text(each)} for each in found], _COLUMNS, False)


def _text(revision: Revision) -> str:
    change = revision["largest_change"]
    return f"{change['field']} {change['before']} → {change['after']}"
