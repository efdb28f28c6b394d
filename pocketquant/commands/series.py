"""`series` and `dead-letters`: the state of each synced series, and the syncs that failed."""

from itertools import islice

import click

from pocketquant.commands.options import (
    INTERVALS,
    SYMBOL,
    api_options,
    client_of,
    interval_option,
    limit_option,
)
from pocketquant.commands.output import print_note, print_one, print_rows
from pocketquant.domain.syncs import SyncState

_COLUMNS = (
    *("exchange", "symbol", "interval", "status", "bar_count", "first_bar_at", "last_bar_at"),
    *("last_sync_at", "error"),
)
_RANGE_COLUMNS = ("start", "end", "state", "asked_at")
_FAILED_COLUMNS = (
    *("unit_id", "exchange", "symbol", "interval", "error", "error_message", "finished_at"),
)


@click.group()
def series() -> None:
    """Show the synced series: one symbol at one interval each."""


@series.command("list")
@click.option("--exchange", default=None, help="Only series of this exchange.")
@click.option("--interval", "-i", type=INTERVALS, help="Only series of this interval.")
@click.option("--status", type=click.Choice([state.value for state in SyncState]))
@click.option("--error", default=None, help="Only series whose last sync failed with this code.")
@click.option("--stale-before", default=None, help="Only series last synced before this moment.")
@limit_option
@api_options
def list_series(
    exchange: str | None,
    interval: str | None,
    status: str | None,
    error: str | None,
    stale_before: str | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """List series with their bars and their last sync.

    \b
    pocketquant series list --status error
    pocketquant series list --stale-before 2026-01-31
    """
    filters = {
        "exchange": exchange,
        "interval": interval,
        "status": status,
        "error": error,
        "stale_before": stale_before,
    }
    found = client_of(url).syncs.statuses(**filters)
    print_rows(islice(found, limit), _COLUMNS, as_json)


@series.command()
@click.argument("symbol", type=SYMBOL)
@interval_option
@api_options
def show(symbol: str, interval: str, url: str | None, as_json: bool) -> None:
    """Show the bars of a series, its last sync, and its error if that failed."""
    print_one(client_of(url).syncs.status(symbol, interval), as_json)


@series.command()
@click.argument("symbol", type=SYMBOL)
@interval_option
@api_options
def coverage(symbol: str, interval: str, url: str | None, as_json: bool) -> None:
    """List the stretches of a series that were fetched, and what came of each."""
    found = client_of(url).series.coverage(symbol, interval)
    print_rows(found["ranges"], _RANGE_COLUMNS, as_json)


@click.group("dead-letters")
def dead_letters() -> None:
    """Show failed syncs of all jobs, and queue them again."""


@dead_letters.command("list")
@click.option("--code", default=None, help="Only syncs that failed with this error code.")
@limit_option
@api_options
def list_dead_letters(code: str | None, limit: int, url: str | None, as_json: bool) -> None:
    """List failed syncs, each with its error.

    \b
    pocketquant dead-letters list --code unknown_symbol
    """
    found = client_of(url).dead_letters.list(code=code)
    print_rows(islice(found, limit), _FAILED_COLUMNS, as_json)


@dead_letters.command()
@api_options
def codes(url: str | None, as_json: bool) -> None:
    """Count the failed syncs of each error code."""
    print_rows(client_of(url).dead_letters.codes(), ("code", "count"), as_json)


@dead_letters.command()
@click.argument("unit_id", required=False)
@click.option("--code", default=None, help="All that failed with this error code.")
@api_options
def retry(unit_id: str | None, code: str | None, url: str | None, as_json: bool) -> None:
    """Queue failed syncs again: one by its id, or all with one error code.

    \b
    pocketquant dead-letters retry --code provider_timeout
    """
    if (unit_id is None) == (code is None):
        raise click.UsageError("give the id of a sync, or --code")
    print_one(client_of(url).dead_letters.retry(code=code, unit_id=unit_id), as_json)
    if not as_json:
        print_note("`pocketquant fleet` shows how they are getting on")
