"""The `pocketquant` command: loads each subcommand when it is called, and sets the exit code.

0    success
1    an error, or a part of the request failed
2    wrong usage
130  ended by Ctrl-C
"""

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem, add_completion_class

from pocketquant.commands.bash_completion import ColonBashComplete
from pocketquant.hints import as_typed, problems_text

_SECTIONS = {
    "Use the API": {
        "sync": "commands.syncing:sync",
        "bulk": "commands.syncing:bulk",
        "backfill": "commands.syncing:backfill",
        "holes": "commands.holes:holes",
        "outliers": "commands.holes:outliers",
        "differences": "commands.holes:differences",
        "quality": "commands.holes:quality",
        "revisions": "commands.revisions:revisions",
        "events": "commands.events:events",
        "repair": "commands.syncing:repair",
        "bars": "commands.bars:bars",
        "series": "commands.series:series",
        "watch": "commands.watching:watch",
        "quotes": "commands.quotes:quotes",
        "search": "commands.symbols:search",
        "symbols": "commands.symbols:symbols",
        "calendar": "commands.calendars:calendar",
        "jobs": "commands.jobs:jobs",
        "dead-letters": "commands.series:dead_letters",
        "schedules": "commands.schedules:schedules",
        "export": "commands.bars:export",
        "import": "commands.bars:import_bars",
    },
    "Run the programs": {
        "up": "commands.programs:up",
        "status": "commands.machine:status",
        "logs": "commands.machine:logs",
        "down": "commands.machine:down",
        "demo": "commands.programs:demo",
        "web": "commands.programs:web",
        "push": "commands.programs:push",
        "worker": "commands.programs:worker",
        "beat": "commands.programs:beat",
        "streamer": "commands.programs:streamer",
        "flower": "commands.programs:flower",
        "simulate": "commands.programs:simulate",
    },
    "Maintain them": {
        "fleet": "commands.fleet:fleet",
        "doctor": "doctor.command:doctor",
        "keys": "commands.keys:keys",
        "completion": "commands.completion:completion",
    },
}
_TARGETS = {name: target for section in _SECTIONS.values() for name, target in section.items()}
_CTRL_C = 130

add_completion_class(ColonBashComplete)


class Commands(click.Group):
    """Imports a command when it is called, and prints expected errors without a traceback."""

    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002
        return list(_TARGETS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in _TARGETS:
            return None
        module, _, attribute = _TARGETS[name].partition(":")
        try:
            command: click.Command = getattr(import_module(f"pocketquant.{module}"), attribute)
        except ModuleNotFoundError as error:
            return _unusable(name, error.name or "")
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; UsageError with the nearest names if there is none of this name."""
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            near = " or ".join(get_close_matches(args[0], _TARGETS))
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near}?", error.ctx) from error

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, targets in _SECTIONS.items():
            with formatter.section(title):
                commands = ((name, self.get_command(context, name)) for name in targets)
                limit = formatter.width - 16
                formatter.write_dl(
                    [(name, each.get_short_help_str(limit)) for name, each in commands if each]
                )

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names without help texts, which would import every command."""
        names = [CompletionItem(name) for name in _TARGETS if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, context, incomplete)]

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_CTRL_C) from None
        except Exception as error:
            message = _message(error)
            if message is None:
                raise
            raise click.ClickException(as_typed(message)) from error


def _unusable(name: str, missing: str) -> click.Command:
    """Return a command that says which library is missing and how to install it."""
    remedy = "pip install 'pocketquant[server]'"

    def refuse(**_: object) -> None:
        raise click.ClickException(f"`pocketquant {name}` needs {missing}: `{remedy}` installs it")

    anything = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    return click.Command(
        name,
        callback=refuse,
        params=[anything],
        context_settings={"ignore_unknown_options": True},
        help=f"Needs the server: `{remedy}`.",
    )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pocketquant")
def main() -> None:
    """A market-data platform of your own: TradingView bars in MongoDB, served by REST."""


def _message(error: Exception) -> str | None:
    """Return the text of an expected error; None for a defect, which keeps its traceback."""
    from pocketquant.domain.errors import PocketQuantError, Unauthorized

    if isinstance(error, Unauthorized):
        return f"{error}; commands send the key of API_KEY [{error.code}]"
    if isinstance(error, PocketQuantError):
        return f"{error} [{error.code}]"
    if isinstance(error, TimeoutError):
        return str(error)
    pydantic = sys.modules.get("pydantic")  # absent where only the client is installed
    if pydantic and isinstance(error, pydantic.ValidationError):
        return problems_text(error.errors(include_input=False))
    return None
