"""The command `doctor`: run all checks in parallel, print a table or JSON."""

import sys
from dataclasses import asdict
from functools import partial

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pocketquant.doctor import fleet, installation, mongodb, provider, redis_servers
from pocketquant.doctor.findings import Checks, Finding, State, run
from pocketquant.doctor.wrong_settings import read_settings
from pocketquant.hints import as_typed
from pocketquant.machine.private_urls import with_private_servers
from pocketquant.redaction import redactor_for
from pocketquant.settings import Settings

_LIMIT_SECONDS = 10.0
_COLOURS = {State.OK: "green", State.WARNING: "yellow", State.BROKEN: "red", State.SKIPPED: "dim"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
def doctor(as_json: bool) -> None:
    """Check servers, programs and settings, and name remedies.

    Changes nothing, except that it writes one document to MongoDB and removes it again. The exit
    code is 1 if something is broken, else 0, also with warnings.
    """
    findings = examine()
    if as_json:
        click.echo(orjson.dumps([asdict(each) for each in findings], option=orjson.OPT_INDENT_2))
    else:
        Console().print(_table(findings))
    sys.exit(any(each.state is State.BROKEN for each in findings))


def examine() -> list[Finding]:
    """Run all checks and return their findings, without secrets."""
    settings, findings = read_settings()
    findings += run(_all_checks(settings), _LIMIT_SECONDS)
    redactor = redactor_for(settings)
    return [each.without_secrets(redactor) for each in findings]


def _all_checks(settings: Settings) -> dict[str, Checks]:
    completed = with_private_servers(settings)
    of_servers = {
        "mongodb": mongodb.mongodb,
        "redis": redis_servers.shared,
        "cache": redis_servers.cache,
        "broker": redis_servers.broker,
        "programs": fleet.programs,
        "tradingview websocket": provider.socket,
    }
    of_settings = {
        "data dir": installation.data_folder,
        "production": installation.production,
        "private servers": installation.private_servers,
        "api": installation.listening_programs,
        "tradingview website": provider.website,
    }
    return {
        "packages": installation.packages,
        "open files": installation.open_files,
        **{name: partial(checks, settings) for name, checks in of_settings.items()},
        **{name: partial(checks, completed) for name, checks in of_servers.items()},
    }


def _table(findings: list[Finding]) -> Table:
    table = Table()
    for heading in ("check", "state", "found", "remedy"):
        table.add_column(heading, overflow="fold")
    for each in findings:
        state = f"[{_COLOURS[each.state]}]{each.state}[/]"
        table.add_row(
            escape(each.check),
            state,
            *(escape(as_typed(text)) for text in (each.found, each.remedy)),
        )
    return table
