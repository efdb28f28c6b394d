"""`fleet`: the processes of all machines, their work, and what is wrong."""

from collections.abc import Iterator
from typing import Any

import click

from pocketquant.commands.options import api_options, client_of
from pocketquant.commands.output import print_json, print_note, print_rows

_PROGRAM_COLUMNS = ("program", "name", "host", "pid", "last_seen", "version")


@click.command()
@api_options
def fleet(url: str | None, as_json: bool) -> None:
    """Show the processes of all machines, and the problems that the API sees.

    The exit code is 1 if there is a problem.
    """
    found: Any = client_of(url).fleet()
    if as_json:
        print_json(found)
    else:
        print_rows(_programs(found), _PROGRAM_COLUMNS, as_json)
        for problem in found["problems"]:
            print_note(f"problem: {problem}")
        if not found["problems"]:
            print_note("no problems")
    raise click.exceptions.Exit(int(bool(found["problems"])))


def _programs(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("workers", "beats", "streamers"):
        for process in found[kind] or ():
            yield {"program": kind.removesuffix("s"), **process}
