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
)


def _complete_name(context: click.Context, _: click.Parameter, incomplete: str) -> list[Any]:
    return completions(
        context, incomplete, lambda client: (one["name"] for one in client.schedules.list())
    )


_name_argument = click.argument("name", shell_complete=_complete_name)


def _times_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of when a schedule runs and what it syncs."""
    minutes = click.IntRange(0, _MOST_MINUTES_AFTER_CLOSE)
    for option in (
        click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="May be repeated."),
        click.option("--exchange", default=None, help="Tracked series of this exchange."),
        click.option(
            "--interval", "-i", "intervals", type=INTERVALS, multiple=True, help="May be repeated."
        ),
        click.option("--bars", "-n", "n_bars", type=click.IntRange(1, MAX_BARS), help="At most."),
        click.option(
            "--after-close",
            "after_close_minutes",
            type=minutes,
            metavar="MINUTES",
            help="So long after each market's own close, in place of --cron.",
        ),
        click.option("--cron", default=None, help="Minute hour day month weekday, in UTC."),
    ):
        command = option(command)
    return command


def _given(options: Mapping[str, object]) -> dict[str, Any]:
    """Return the options that were given, lists as JSON has them."""
    given = {name: value for name, value in options.items() if value not in (None, ())}
    return {name: list(each) if isinstance(each, tuple) else each for name, each in given.items()}


@click.group()
def schedules() -> None:
    """Show and change which symbols are synced when."""


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
    """Add a schedule that runs by cron, or after each market's own close.

    \b
    pocketquant schedules add us-hourly --cron "35 * * * *" -i 1h --exchange NASDAQ
    pocketquant schedules add closes --after-close 20 -i 1d -i 1h
    """
    fields = {**_given(times), "description": description}
    if "cron" not in fields and "after_close_minutes" not in fields:
        raise click.UsageError("say when it runs: --cron or --after-close")
    print_one(client_of(url).schedules.add(name, **fields), as_json)


@schedules.command()
@_name_argument
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@api_options
def remove(name: str, yes: bool, url: str | None, as_json: bool) -> None:
    """Remove a schedule of your own; built-in ones can only be paused."""
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
@click.option("--pause/--resume", "paused", default=None, help="Run only when asked, or by itself.")
@api_options
def change(name: str, paused: bool | None, url: str | None, as_json: bool, **times: object) -> None:
    """Run a schedule at other times, for other series, with other bars, or not for now.

    \b
    pocketquant schedules change all-series --cron "0 */4 * * *" -n 1000
    """
    changes = _given({**times, "paused": paused})
    if not changes:
        raise click.UsageError("say what to change: see `pocketquant schedules change --help`")
    print_one(client_of(url).schedules.change(name, **changes), as_json)


@schedules.command()
@_name_argument
@api_options
def run(name: str, url: str | None, as_json: bool) -> None:
    """Run a schedule once, at the next tick."""
    print_one(client_of(url).schedules.change(name, run_now=True), as_json)
