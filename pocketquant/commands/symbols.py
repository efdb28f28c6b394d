"""`search` and `symbols`: find symbols, and register those that schedules sync."""

from itertools import islice

import click

from pocketquant.commands.options import INTERVALS, SYMBOL, api_options, client_of
from pocketquant.commands.output import print_json, print_note, print_one, print_rows
from pocketquant.commands.suggestions import note_nearest
from pocketquant.domain.errors import UnknownSymbol
from pocketquant.domain.searches import SymbolKind

_FOUND_COLUMNS = ("exchange", "symbol", "name", "type", "currency", "country")
_REGISTERED_COLUMNS = ("exchange", "symbol", "active", "intervals", "type", "currency", "name")

_intervals_option = click.option(
    "--interval", "-i", "intervals", type=INTERVALS, multiple=True, help="May be repeated."
)


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--type", "kind", type=click.Choice([kind.value for kind in SymbolKind]))
@click.option("--exchange", default=None, help="Only symbols of this exchange.")
@click.option("--country", default=None, help="Only symbols of this country, two letters.")
@click.option("--limit", type=click.IntRange(1, 50), default=20, show_default=True)
@api_options
def search(
    query: tuple[str, ...],
    kind: str | None,
    exchange: str | None,
    country: str | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """Search the symbols of TradingView.

    QUERY is a part of the ticker or name, or an ISIN.

    \b
    pocketquant search apple --type stock
    """
    filters = {"type": kind, "exchange": exchange, "country": country}
    given = {name: value for name, value in filters.items() if value}
    answer = client_of(url).search(" ".join(query), limit=limit, **given)
    print_rows(answer["symbols"], _FOUND_COLUMNS, as_json)
    if not as_json and answer.get("remaining"):
        print_note(f"{answer['remaining']} more match")


@click.group()
def symbols() -> None:
    """Manage the symbols that schedules sync."""


@symbols.command("list")
@click.argument("query", required=False)
@click.option("--exchange", default=None, help="Only symbols of this exchange.")
@click.option(
    "--active/--inactive", default=None, help="Only those that schedules sync, or do not sync."
)
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True)
@api_options
def list_symbols(
    query: str | None,
    exchange: str | None,
    active: bool | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """List registered symbols, sorted by name.

    QUERY is a part of the ticker or name.

    \b
    pocketquant symbols list --exchange NASDAQ
    """
    found = client_of(url).symbols.list(query=query, exchange=exchange, active=active)
    print_rows(islice(found, limit), _REGISTERED_COLUMNS, as_json)


@symbols.command()
@click.argument("symbol", type=SYMBOL)
@_intervals_option
@click.option("--inactive", is_flag=True, help="Schedules do not sync it until it is made active.")
@click.option("--sync/--no-sync", default=True, help="Whether to sync it at once, by default yes.")
@api_options
def add(
    symbol: str,
    intervals: tuple[str, ...],
    inactive: bool,
    sync: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Register a symbol, so that schedules sync it, and sync it once.

    Without -i they sync it at 1d. A symbol that the provider does not know is not registered.

    \b
    pocketquant symbols add NASDAQ:AAPL -i 1h -i 1d
    """
    client = client_of(url)
    made = client.symbols.add(symbol, intervals, not inactive)
    if sync and not inactive:
        first, *others = made["intervals"]
        try:
            client.sync(symbol, first)
        except UnknownSymbol:
            client.symbols.remove(symbol)
            note_nearest(client, symbol)
            raise
        if others:
            client.bulk([symbol], others)
    print_one(made, as_json)


@symbols.command()
@click.argument("symbol", type=SYMBOL)
@_intervals_option
@click.option("--active/--inactive", default=None, help="Whether schedules sync it.")
@api_options
def change(
    symbol: str, intervals: tuple[str, ...], active: bool | None, url: str | None, as_json: bool
) -> None:
    """Change the intervals of a symbol, or stop its syncs.

    New intervals replace those before.

    \b
    pocketquant symbols change NASDAQ:AAPL -i 1d --active
    """
    if active is None and not intervals:
        raise click.UsageError("nothing to change: give -i, --active or --inactive")
    changed = client_of(url).symbols.change(symbol, active=active, intervals=intervals or None)
    print_one(changed, as_json)


@symbols.command()
@click.argument("symbol", type=SYMBOL)
@click.option("--with-bars", is_flag=True, help="Also remove its bars, at every interval.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@api_options
def remove(symbol: str, with_bars: bool, yes: bool, url: str | None, as_json: bool) -> None:
    """Remove a symbol from the registry.

    Its bars stay unless --with-bars is given.

    \b
    pocketquant symbols remove NASDAQ:AAPL --with-bars --yes
    """
    if with_bars and not yes:
        click.confirm(f"Remove {symbol} and all its bars?", abort=True, err=True)
    client_of(url).symbols.remove(symbol, with_bars=with_bars)
    if as_json:
        print_json({"removed": symbol, "with_bars": with_bars})
    else:
        print_note(f"{symbol} is removed{' with its bars' if with_bars else '; its bars stay'}")
