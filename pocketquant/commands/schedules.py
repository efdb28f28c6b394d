"""`schedules`: what is brought up to date by itself."""

from typing import Any

import click

from pocketquant.commands.asking import (
    client_of,
    completed,
    json_option,
    print_one,
    print_rows,
    url_option,
)
from pocketquant.domain.syncs import MAX_BARS

_COLUMNS = ("name", "cron", "n_bars", "paused", "next_run_at", "last_run_at", "last_job_state")


class ScheduleName(click.ParamType[str]):
    """The name of a schedule, completed by asking the API."""

    name = "NAME"

    def convert(self, value: object, *_: object) -> str:
        return str(value)

    def shell_complete(
        self, context: click.Context, _: click.Parameter, incomplete: str
    ) -> list[Any]:
        return completed(
            context, incomplete, lambda client: (one["name"] for one in client.schedules.list())
        )


_name_argument = click.argument("name", type=ScheduleName())


@click.group()
def schedules() -> None:
    """What is brought up to date by itself, and when."""


@schedules.command("list")
@url_option
@json_option
def list_schedules(url: str | None, as_json: bool) -> None:
    """All schedules: when each runs, and how it went."""
    print_rows(client_of(url).schedules.list(), _COLUMNS, as_json)


@schedules.command()
@_name_argument
@url_option
@json_option
def show(name: str, url: str | None, as_json: bool) -> None:
    """When a schedule runs, and how it went."""
    print_one(client_of(url).schedules.get(name), as_json)


@schedules.command()
@_name_argument
@click.option("--cron", default=None, help="Minute hour day month weekday, in UTC.")
@click.option("--bars", "-n", type=click.IntRange(1, MAX_BARS), default=None, help="At most.")
@click.option("--pause/--resume", "paused", default=None, help="Run only when asked, or by itself.")
@url_option
@json_option
def change(
    name: str,
    cron: str | None,
    bars: int | None,
    paused: bool | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Run a schedule at other times, with more or fewer bars, or not for now.

    \b
    pocketquant schedules change all-series --cron "0 */4 * * *" -n 1000
    """
    given = {"cron": cron, "n_bars": bars, "paused": paused}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("say what is to be otherwise: --cron, --bars, --pause or --resume")
    print_one(client_of(url).schedules.change(name, **changes), as_json)


@schedules.command()
@_name_argument
@url_option
@json_option
def run(name: str, url: str | None, as_json: bool) -> None:
    """Run a schedule once, with the next tick."""
    print_one(client_of(url).schedules.change(name, run_now=True), as_json)
