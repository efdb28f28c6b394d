"""`schedules`: list, show, change and run schedules."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from pocketquant.commands.options import INTERVALS, SYMBOL, api_options, client_of, completions
from pocketquant.commands.output import print_json, print_note, print_one, print_rows
from pocketquant.domain.syncs import MAX_BARS

_MOST_MINUTES_AFTER_CLOSE = 24 * 60
_COLUMNS = (
    "name",
    "cron",
    "after_close_minutes",
    "n_bars",
    "paused",
    "next_run_at",
    "last_run_at",
    "last_job_state",
    "at_risk",
)


def _complete_name(context: click.Context, _: click.Parameter, incomplete: str) -> list[Any]:
    return completions(
        context, incomplete, lambda client: (one["name"] for one in client.schedules.list())
    )


_name_argument = click.argument("name", shell_complete=_complete_name)


def _times_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for the times and the series of a schedule."""
    minutes = click.IntRange(0, _MOST_MINUTES_AFTER_CLOSE)
    for option in (
        click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="May be repeated."),
        click.option("--exchange", default=None, help="Only series of this exchange."),
        click.option(
            "--interval", "-i", "intervals", type=INTERVALS, multiple=True, help="May be repeated."
        ),
        click.option(
            "--bars",
            "-n",
            "n_bars",
            type=click.IntRange(1, MAX_BARS),
            help="The most bars of a series.",
        ),
        click.option(
            "--after-close",
            "after_close_minutes",
            type=minutes,
            metavar="MINUTES",
            help="Run this long after each market's own close, instead of --cron.",
        ),
        click.option("--cron", default=None, help="Minute hour day month weekday, in UTC."),
    ):
        command = option(command)
    return command


def _used(options: Mapping[str, object]) -> dict[str, Any]:
    """Return the options of the command line, with lists in place of tuples."""
    used = {name: value for name, value in options.items() if value not in (None, ())}
    return {name: list(each) if isinstance(each, tuple) else each for name, each in used.items()}


@click.group()
def schedules() -> None:
    """Show and change when symbols are synced."""


@schedules.command("list")
@api_options
def list_schedules(url: str | None, as_json: bool) -> None:
    """List all schedules, each with its next and its last run."""
    print_rows(client_of(url).schedules.list(), _COLUMNS, as_json)


@schedules.command()
@_name_argument
@api_options
def show(name: str, url: str | None, as_json: bool) -> None:
    """Show the next and the last run of a schedule."""
    print_one(client_of(url).schedules.get(name), as_json)


@schedules.command()
@click.argument("name")
@_times_options
@click.option("--description", default="", help="What it is for.")
@api_options
def add(name: str, description: str, url: str | None, as_json: bool, **times: object) -> None:
    """Add a schedule.

    It runs by cron, or after each market's own close.

    \b
    pocketquant schedules add us-hourly --cron "35 * * * *" -i 1h --exchange NASDAQ
    pocketquant schedules add closes --after-close 20 -i 1d -i 1h
    """
    fields = {**_used(times), "description": description}
    if "cron" not in fields and "after_close_minutes" not in fields:
        raise click.UsageError("say when it runs: --cron or --after-close")
    print_one(client_of(url).schedules.add(name, **fields), as_json)


@schedules.command()
@_name_argument
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@api_options
def remove(name: str, yes: bool, url: str | None, as_json: bool) -> None:
    """Remove a schedule.

    Built-in schedules can only be paused.
    """
    if not yes:
        click.confirm(f"Remove schedule {name}?", abort=True, err=True)
    client_of(url).schedules.remove(name)
    if as_json:
        print_json({"removed": name})
    else:
        print_note(f"schedule {name} is removed")


@schedules.command()
@_name_argument
@_times_options
@click.option(
    "--pause/--resume",
    "paused",
    default=None,
    help="Stop or resume its own runs; `run` works while it is paused.",
)
@api_options
def change(name: str, paused: bool | None, url: str | None, as_json: bool, **times: object) -> None:
    """Change, pause or resume a schedule.

    \b
    pocketquant schedules change all-series --cron "0 */4 * * *" -n 1000
    """
    changes = _used({**times, "paused": paused})
    if not changes:
        raise click.UsageError(
            "nothing to change: give an option of `pocketquant schedules change --help`"
        )
    print_one(client_of(url).schedules.change(name, **changes), as_json)


@schedules.command()
@_name_argument
@api_options
def run(name: str, url: str | None, as_json: bool) -> None:
    """Run a schedule once, at the next tick."""
    print_one(client_of(url).schedules.change(name, run_now=True), as_json)
