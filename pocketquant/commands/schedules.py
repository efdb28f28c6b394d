"""`schedules`: list, show, change and run schedules."""

from typing import Any

import click

from pocketquant.commands.options import api_options, client_of, completions
from pocketquant.commands.output import print_one, print_rows
from pocketquant.domain.syncs import MAX_BARS

_COLUMNS = ("name", "cron", "n_bars", "paused", "next_run_at", "last_run_at", "last_job_state")


def _complete_name(context: click.Context, _: click.Parameter, incomplete: str) -> list[Any]:
    return completions(
        context, incomplete, lambda client: (one["name"] for one in client.schedules.list())
    )


_name_argument = click.argument("name", shell_complete=_complete_name)


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
@_name_argument
@click.option("--cron", default=None, help="Minute hour day month weekday, in UTC.")
@click.option(
    "--bars",
    "-n",
    type=click.IntRange(1, MAX_BARS),
    default=None,
    help="The most bars to fetch of each series.",
)
@click.option(
    "--pause/--resume",
    "paused",
    default=None,
    help="Stop or resume its own runs; `run` works while it is paused.",
)
@api_options
def change(
    name: str,
    cron: str | None,
    bars: int | None,
    paused: bool | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Change the times and the number of bars of a schedule, pause or resume it.

    \b
    pocketquant schedules change all-series --cron "0 */4 * * *" -n 1000
    """
    given = {"cron": cron, "n_bars": bars, "paused": paused}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change: give --cron, --bars, --pause or --resume")
    print_one(client_of(url).schedules.change(name, **changes), as_json)


@schedules.command()
@_name_argument
@api_options
def run(name: str, url: str | None, as_json: bool) -> None:
    """Run a schedule once, at the next tick."""
    print_one(client_of(url).schedules.change(name, run_now=True), as_json)
