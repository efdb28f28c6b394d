"""`holes`, `outliers`, `differences`, `quality`: print missing bars, and those in doubt."""

from collections.abc import Callable

import click

from pocketquant.commands.options import INTERVALS, SYMBOL, api_options, client_of, interval_option
from pocketquant.commands.output import print_json, print_note, print_rows

_QUALITY = (
    *("exchange", "symbol", "interval", "bar_count", "last_bar_at", "fetched_from", "gaps"),
    *("not_fetched_bars", "late_bars", "lost_bars", "refused_bars", "outliers", "differences"),
    *("limited", "served_until", "at_risk", "calendar_problem"),
)
_COLUMNS = ("first_bar_at", "last_bar_at", "bars", "reason")
_DIFFERENCES = ("datetime", "against", "field", "stored", "other")
_OUTLIERS = ("datetime", "field", "value", "usual", "lowest", "highest")


def _stretch_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--start`, `--end` and `--limit`."""
    for option in (
        click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True),
        click.option("--end", help="Only bars before this moment; by default now."),
        click.option("--start", help="Only bars since this moment, ISO 8601."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("symbol", type=SYMBOL)
@interval_option
@_stretch_options
@api_options
def holes(
    symbol: str,
    interval: str,
    start: str | None,
    end: str | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """Print the bars that a series lacks by its calendar.

    Bars that were fetched and had no trade are counted, not printed. `repair` fills the holes.

    \b
    pocketquant holes NASDAQ:AAPL -i 1m --start 2026-11-23
    """
    found = client_of(url).holes(symbol, interval, start=start, end=end, limit=limit)
    if as_json:
        print_json(found)
        return
    if found["calendar_problem"]:
        print_note(f"the holes are not known: {found['calendar_problem']}")
    if found["holes"]:
        print_rows(found["holes"], _COLUMNS, as_json=False)
    if found["hole_count"] > len(found["holes"]):
        print_note(f"the newest {len(found['holes'])} of {found['hole_count']}")
    print_note(f"{found['missing_bars']} bars missing; {found['untraded_bars']} without a trade")


@click.command()
@click.argument("symbol", type=SYMBOL)
@interval_option
@_stretch_options
@api_options
def outliers(
    symbol: str,
    interval: str,
    start: str | None,
    end: str | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """Print the bars of a series that may be bad prints, with the bounds that they lie outside of.

    \b
    pocketquant outliers NASDAQ:AAPL -i 1m --start 2026-11-23
    """
    series = client_of(url).series
    found = series.outliers(symbol, interval, start=start, end=end, limit=limit)
    if as_json:
        print_json(found)
        return
    print_rows(found["outliers"], _OUTLIERS, as_json=False)
    print_note(f"{found['outlier_count']} of {found['bars']} bars may be bad prints")


@click.command()
@click.argument("symbol", type=SYMBOL)
@api_options
def differences(symbol: str, url: str | None, as_json: bool) -> None:
    """Print the values of daily bars that intraday bars or quotes contradict.

    \b
    pocketquant differences NASDAQ:AAPL
    """
    found = client_of(url).series.differences(symbol)["differences"]
    print_rows(found, _DIFFERENCES, as_json)


@click.command()
@click.option("--exchange", default=None)
@click.option("--interval", "-i", type=INTERVALS, default=None)
@click.option("--gaps", is_flag=True, help="Only series with gaps between fetched stretches.")
@click.option("--doubtful", is_flag=True, help="Only series whose calendar is not trusted.")
@click.option("--stale", is_flag=True, help="Only series that lack a bar for STALE_HOURS.")
@click.option("--never-synced", is_flag=True, help="Only series of which no sync has succeeded.")
@click.option("--refused", is_flag=True, help="Only series whose last sync refused bars.")
@click.option("--outliers", is_flag=True, help="Only series with bars that may be bad prints.")
@click.option("--differences", is_flag=True, help="Only series with days unlike another source's.")
@click.option(
    "--at-risk",
    is_flag=True,
    help="Only series of which the provider soon does not serve what they lack.",
)
@api_options
def quality(
    exchange: str | None, interval: str | None, url: str | None, as_json: bool, **flags: bool
) -> None:
    """Print how whole each series is, by what was fetched of it.

    \b
    pocketquant quality --gaps
    pocketquant quality --at-risk
    pocketquant quality --exchange NASDAQ -i 1m
    """
    filters = {"exchange": exchange, "interval": interval}
    chosen = {name: is_set or None for name, is_set in flags.items()}
    print_rows(client_of(url).series.quality(**filters, **chosen), _QUALITY, as_json)
