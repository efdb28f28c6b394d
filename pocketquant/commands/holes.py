"""`holes` and `quality`: print the bars that series lack, and how whole each series is."""

import click

from pocketquant.commands.options import INTERVALS, SYMBOL, api_options, client_of, interval_option
from pocketquant.commands.output import print_json, print_note, print_rows

_QUALITY = (
    *("exchange", "symbol", "interval", "bar_count", "last_bar_at", "fetched_from", "gaps"),
    *("not_fetched_bars", "late_bars", "lost_bars", "refused_bars", "limited", "served_until"),
    *("at_risk", "calendar_problem"),
)
_COLUMNS = ("first_bar_at", "last_bar_at", "bars", "reason")


@click.command()
@click.argument("symbol", type=SYMBOL)
@interval_option
@click.option("--start", default=None, help="Only bars since this moment, ISO 8601.")
@click.option("--end", default=None, help="Only bars before this moment; by default now.")
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True)
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
@click.option("--exchange", default=None)
@click.option("--interval", "-i", type=INTERVALS, default=None)
@click.option("--gaps", is_flag=True, help="Only series with gaps between fetched stretches.")
@click.option("--doubtful", is_flag=True, help="Only series whose calendar is not trusted.")
@click.option("--stale", is_flag=True, help="Only series that lack a bar for STALE_HOURS.")
@click.option("--never-synced", is_flag=True, help="Only series of which no sync has succeeded.")
@click.option("--refused", is_flag=True, help="Only series whose last sync refused bars.")
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
