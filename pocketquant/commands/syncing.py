"""`sync`, `bulk`, `backfill` and `repair`: bring series up to date, and fill their holes."""

import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from pocketquant.client import Client
from pocketquant.client.responses import Estimate, Job, JobProgress
from pocketquant.commands.options import (
    FILE_OR_DASH,
    INTERVALS,
    SYMBOL,
    api_options,
    client_of,
    interval_option,
)
from pocketquant.commands.output import print_json, print_note, print_rows
from pocketquant.commands.suggestions import note_nearest
from pocketquant.commands.symbol_lists import read_symbols
from pocketquant.domain.errors import (
    NoPermission,
    SuspectHistory,
    Unavailable,
    UnknownSymbol,
    UnsupportedInterval,
)
from pocketquant.domain.syncs import MAX_BARS

_COLUMNS = (
    *("exchange", "symbol", "interval", "status", "fetched", "inserted", "changed"),
    *("unchanged", "refused", "forming", "bar_count", "last_bar_at"),
)
_Command = TypeVar("_Command", bound=Callable[..., Any])

_RANGE_COLUMNS = (*_COLUMNS, "stop", "reached_back_to")
_ESTIMATE_COLUMNS = (
    *("exchange", "symbol", "interval", "bars", "covered", "pages", "since", "bound"),
)
_UNIT_COLUMNS = (
    *("exchange", "symbol", "interval", "state", "fetched", "inserted", "reached_back_to"),
    *("newest_fetched", "stop", "error"),
)
_OF_ONE_SYMBOL = (UnknownSymbol, NoPermission, UnsupportedInterval, SuspectHistory, Unavailable)
_MOST_SERIES = 100
_DEFAULT_BARS = 500

_bars = click.IntRange(1, MAX_BARS)
_start_option = click.option(
    "--start", help="All bars from this date or moment on, in place of a number of bars."
)
_end_option = click.option("--end", help="With --start: only bars before this date or moment.")
_from_option = click.option(
    "--from",
    "source",
    type=FILE_OR_DASH,
    help="A file of symbols (- is standard input): any number in a line, # begins a comment.",
)


def _intervals_option(default: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--interval",
        "-i",
        "intervals",
        type=INTERVALS,
        multiple=True,
        help=f"By default {default}; may be repeated.",
    )


_wait_option = click.option(
    "--wait/--no-wait", default=True, help="Wait until the job has ended, or only print its id."
)


@click.command()
@click.argument("symbols", nargs=-1, required=True, type=SYMBOL)
@interval_option
@click.option("--bars", "-n", type=_bars, help=f"By default {MAX_BARS}, of the newest bars.")
@_start_option
@_end_option
@api_options
def sync(
    symbols: tuple[str, ...],
    interval: str,
    bars: int | None,
    start: str | None,
    end: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Bring series up to date, and print their reports.

    The exit code is 1 if one of them failed; the others are synced.

    \b
    pocketquant sync NASDAQ:AAPL NYSE:IBM -i 1h -n 500
    pocketquant sync NASDAQ:AAPL -i 1h --start 2015-01-01
    """
    from rich.console import Console
    from rich.progress import track

    client = client_of(url)
    console = Console(stderr=True)
    is_quiet = len(symbols) == 1 or not sys.stderr.isatty()
    reports, failed = [], 0
    for symbol in track(symbols, "syncing", console=console, disable=is_quiet):
        try:
            reports.append(client.sync(symbol, interval, bars, start=start, end=end))
        except _OF_ONE_SYMBOL as error:
            if isinstance(error, UnknownSymbol):
                note_nearest(client, symbol)
            if len(symbols) == 1:
                raise
            failed += 1
            print_note(f"{symbol}: {error} [{error.code}]")
    if reports:
        print_rows(reports, _RANGE_COLUMNS if start else _COLUMNS, as_json)
    for job in (each["job_id"] for each in reports if "fetched" not in each):
        print_note(f"a sync goes on: `pocketquant jobs watch {job}` waits for it")
    sys.exit(int(failed > 0))


@click.command()
@click.argument("symbols", nargs=-1, type=SYMBOL)
@_from_option
@_intervals_option("1d")
@click.option("--bars", "-n", type=_bars, help=f"By default {_DEFAULT_BARS}.")
@_start_option
@_end_option
@_wait_option
@api_options
def bulk(
    symbols: tuple[str, ...],
    source: Path | None,
    intervals: tuple[str, ...],
    bars: int | None,
    start: str | None,
    end: str | None,
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Sync up to 10,000 symbols as one job.

    The exit code is 1 if one of its syncs failed. Ctrl-C ends the waiting, not the job.

    \b
    pocketquant bulk NASDAQ:AAPL NASDAQ:MSFT -i 1h -i 1d
    pocketquant bulk --from watchlist.txt -n 5000 --no-wait
    """
    chosen = _distinct_symbols(symbols, source)
    client = client_of(url)
    if bars is None and start is None:
        bars = _DEFAULT_BARS
    job: Job = client.bulk(chosen, intervals or ("1d",), bars, start=start, end=end)
    _end_of(client, job, wait, as_json)


@click.command()
@click.argument("symbols", nargs=-1, type=SYMBOL)
@_from_option
@_intervals_option("1d")
@click.option(
    "--start", default="all", show_default=True, help="All bars from this date or moment on."
)
@click.option("--end", help="Only bars before this date or moment.")
@click.option("--estimate", is_flag=True, help="Only print the expected bars.")
@_wait_option
@api_options
def backfill(
    symbols: tuple[str, ...],
    source: Path | None,
    intervals: tuple[str, ...],
    start: str,
    end: str | None,
    estimate: bool,
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Fetch bars as far back as TradingView serves them, as one job.

    Prints the expected bars, and then the bars of each series and where it stopped. The exit code
    is 1 if a series failed. Ctrl-C ends the waiting, not the job, which gives way to all other
    work.

    \b
    pocketquant backfill NASDAQ:AAPL -i 1m -i 1d
    pocketquant backfill --from watchlist.txt -i 1h --start 2015-01-01 --no-wait
    """
    chosen = _distinct_symbols(symbols, source)
    client = client_of(url)
    wanted = (chosen, intervals or ("1d",), start)
    if estimate:
        _print_estimate(client.syncs.estimate(*wanted, end=end), as_json)
        return
    job: Any = client.backfill(*wanted, end=end)
    _note_estimate(job["estimate"])
    _end_of(client, job, wait, as_json, print_ended=_print_series)


@click.command()
@click.argument("symbols", nargs=-1, type=SYMBOL)
@_from_option
@_intervals_option("all that were ever synced")
@_wait_option
@api_options
def repair(
    symbols: tuple[str, ...],
    source: Path | None,
    intervals: tuple[str, ...],
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Fill the holes of up to 500 symbols as one job.

    Each series with a hole is fetched back to its oldest one. `holes` prints them.

    \b
    pocketquant repair NASDAQ:AAPL BINANCE:BTCUSDT -i 1m
    """
    chosen = _distinct_symbols(symbols, source)
    client = client_of(url)
    _end_of(client, client.repair(chosen, intervals), wait, as_json)


def _end_of(
    client: Client,
    job: Job,
    wait: bool,
    as_json: bool,
    print_ended: Callable[[Client, Job], None] | None = None,
) -> None:
    """Wait for the job if wished, print it, and exit."""
    job_id = job["job_id"]
    if wait:
        job = _wait_for(client, job_id)
    if as_json:
        print_json(job)
    elif wait:
        if print_ended is not None:
            print_ended(client, job)
        _print_counts(job)
    else:
        click.echo(job_id)
    sys.exit(int(job["counts"]["failed"] > 0))


def _distinct_symbols(symbols: tuple[str, ...], source: Path | None) -> list[str]:
    """Return the symbols of the arguments and the file in order, without repetitions."""
    given = [*symbols, *(read_symbols(source) if source else ())]
    if not given:
        raise click.UsageError("name symbols, or a file of them with --from")
    distinct = list(dict.fromkeys(given))
    if repeated := len(given) - len(distinct):
        print_note(f"{repeated} symbols were given more than once, and count once")
    return distinct


def _wait_for(client: Client, job_id: str) -> JobProgress:
    try:
        print_note(f"job {job_id}")
        return client.jobs.wait(job_id, progress=sys.stderr.isatty())
    except KeyboardInterrupt:
        print_note(
            f"the job goes on: `pocketquant jobs watch {job_id}` waits for it again, and"
            f" `pocketquant jobs pause {job_id}` and `cancel` stop it"
        )
        raise


def _print_estimate(estimate: Estimate, as_json: bool) -> None:
    if as_json:
        print_json(estimate)
        return
    print_rows(estimate["series"], _ESTIMATE_COLUMNS, as_json=False)
    _note_estimate(estimate)


def _note_estimate(estimate: Estimate) -> None:
    pages = "1 page" if estimate["pages"] == 1 else f"{estimate['pages']:,} pages"
    known = f"about {estimate['bars']:,} bars in {pages} can come"
    series, unknown = estimate["series_count"], estimate["unknown_count"]
    limit, reported = estimate["limit_bars"], estimate["reported_limit_bars"]
    of_plan = "the limit of your plan is not known yet"
    if limit is not None:
        of_plan = f"your plan serves {limit:,} bars of a series"
    elif reported is not None:
        of_plan += f", users report {reported:,} bars of a series below a day"
    rest = f"; nothing is known of {unknown} yet" if unknown else ""
    print_note(f"{known} of {series} series{rest}; {of_plan}")


def _print_series(client: Client, job: Job) -> None:
    """Print the results of each series of a backfill, and where it stopped."""
    units = client.jobs.units(job["job_id"])
    print_rows(islice(units, _MOST_SERIES), _UNIT_COLUMNS, as_json=False)
    if job["counts"]["total"] > _MOST_SERIES:
        print_note(f"the first {_MOST_SERIES}; `pocketquant jobs units {job['job_id']}` has all")


def _print_counts(job: Job) -> None:
    counts = job["counts"]
    click.echo(f"{counts['completed']} of {counts['total']} syncs completed")
    if counts["failed"]:
        print_note(
            f"{counts['failed']} failed: `pocketquant jobs units {job['job_id']} --state failed`"
            f" shows why, `pocketquant jobs retry {job['job_id']}` queues them again"
        )
