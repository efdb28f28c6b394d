"""`bars`, `export` and `import`: print, export and import stored bars."""

import sys
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import click

from pocketquant.client.responses import ImportResult
from pocketquant.commands.options import (
    FILE_OR_DASH,
    SYMBOL,
    api_options,
    client_of,
    interval_option,
)
from pocketquant.commands.output import (
    print_json,
    print_note,
    print_rows,
    stopping_on_broken_pipe,
)
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.syncs import MAX_BARS

_MOST_REFUSALS = 10  # printed one by one
_COLUMNS = ("datetime", "open", "high", "low", "close", "volume")
_Form = Literal["parquet", "csv", "arrow"]

_SUFFIXES: dict[str, _Form] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".arrow": "arrow",
    ".arrows": "arrow",
}

_length_option = click.option(
    "--interval",
    "-i",
    default="1d",
    show_default=True,
    help="Also lengths that are not stored, such as 10m or 2h.",
)
_start_option = click.option(
    "--start", default=None, help="The first open time, ISO 8601 with a zone."
)
_end_option = click.option("--end", default=None, help="Only bars that open before this time.")
_tz_option = click.option(
    "--tz",
    default="UTC",
    show_default=True,
    help="Zone of the times, such as America/New_York, or exchange for the symbol's own.",
)
_as_of_option = click.option(
    "--as-of", default=None, help="The bars as they were stored at this moment, without live ones."
)


@click.command()
@click.argument("symbol", type=SYMBOL)
@_length_option
@click.option("--limit", type=click.IntRange(1, MAX_BARS), default=20, show_default=True)
@_start_option
@_end_option
@_tz_option
@_as_of_option
@api_options
def bars(
    symbol: str,
    interval: str,
    limit: int,
    start: str | None,
    end: str | None,
    tz: str,
    as_of: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Print stored bars, the newest first.

    \b
    pocketquant bars NASDAQ:AAPL -i 1h --start 2024-01-31T14:30:00Z
    """
    given = {"start_date": start, "end_date": end, "as_of": as_of}
    dates = {name: date for name, date in given.items() if date is not None}
    found = client_of(url).series.page(symbol, interval, limit=limit, tz=tz, **dates)["data"]
    has_trading_days = any("trading_day" in bar for bar in found)
    print_rows(found, (*_COLUMNS, *(["trading_day"] if has_trading_days else [])), as_json)


@click.command()
@click.argument("symbol", type=SYMBOL)
@_length_option
@click.option(
    "--output",
    "-o",
    type=FILE_OR_DASH,
    required=True,
    help="A file, or - for standard output.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(_Form)),
    help="By default the one that the file name ends with.",
)
@_start_option
@_end_option
@click.option(
    "--limit", type=click.IntRange(1), default=None, help="Only this number of the newest bars."
)
@_tz_option
@_as_of_option
@click.option("--force", is_flag=True, help="Replace an existing file.")
@api_options
def export(
    symbol: str,
    interval: str,
    output: Path,
    form: _Form | None,
    start: str | None,
    end: str | None,
    limit: int | None,
    tz: str,
    as_of: str | None,
    force: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Export stored bars to a CSV, Parquet or Arrow file.

    The file has all bars, or those of a range, and appears once it is complete.

    \b
    pocketquant export NASDAQ:AAPL -i 1d -o aapl.parquet
    pocketquant export NASDAQ:AAPL -i 1h -o - | head
    """
    is_stream = str(output) == "-"
    if not is_stream and output.exists() and not force:
        raise click.UsageError(f"{output} exists already; --force replaces it")
    chosen = form or ("csv" if is_stream else _form_named_by(output))
    write = partial(
        client_of(url).export,
        symbol,
        interval,
        format=chosen,
        start=start,
        end=end,
        limit=limit,
        tz=tz,
        as_of=as_of,
    )
    try:
        if is_stream:
            with stopping_on_broken_pipe():
                write(sys.stdout.buffer)
                sys.stdout.buffer.flush()
            return
        written = write(output)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"file": str(output), "format": chosen, "bytes": written})
    else:
        print_note(f"{written:,} bytes of {symbol} at {interval} are in {output}")


@click.command("import")
@click.argument("symbol", type=SYMBOL)
@click.argument("file", type=FILE_OR_DASH)
@interval_option
@click.option(
    "--timezone", default=None, help="Zone of times without one, such as UTC or Asia/Tokyo."
)
@api_options
def import_bars(
    symbol: str, file: Path, interval: str, timezone: str | None, url: str | None, as_json: bool
) -> None:
    """Import bars from a CSV or Parquet file.

    FILE - reads CSV from standard input. Columns: datetime (or time, date, timestamp: ISO 8601 with
    a zone, or epoch seconds), open, high, low, close, and optionally volume; others are named as
    unused. A stored bar of the same time is replaced, and of days the bar of the same trading day.
    The exit code is 1 if bars were refused.

    \b
    pocketquant import NASDAQ:AAPL aapl.csv -i 1d --timezone UTC
    """
    from pocketquant.commands.bar_files import UNUSED, read_bars

    try:
        frame = read_bars(file, timezone)
    except InvalidRequest as error:
        raise click.ClickException(str(error)) from error
    if frame.attrs[UNUSED]:
        print_note(f"{UNUSED}: {', '.join(frame.attrs[UNUSED])}")
    report = client_of(url).import_bars(symbol, interval, frame)
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    sys.exit(int(bool(report["refused"])))


def _form_named_by(file: Path) -> _Form:
    try:
        return _SUFFIXES[file.suffix.lower()]
    except KeyError:
        raise click.UsageError(f"{file} names no format; choose one with --format") from None


def _print_report(report: ImportResult) -> None:
    click.echo(
        f"{report['inserted']} inserted, {report['changed']} changed,"
        f" {report['unchanged']} unchanged, {report['refused']} refused"
    )
    for each in report["refusals"][:_MOST_REFUSALS]:
        print_note(f"refused: bar {each['index'] + 1}, {each['datetime']}: {each['reason']}")
    if report["refused"] > _MOST_REFUSALS:
        print_note(f"and {report['refused'] - _MOST_REFUSALS} more; --json lists them all")
