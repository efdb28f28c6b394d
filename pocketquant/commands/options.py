"""Options and arguments that several commands share, and the API client that they use."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from pocketquant.api_settings import ApiSettings
from pocketquant.client import Client
from pocketquant.domain.errors import InvalidSymbol, PocketQuantError
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Symbol

_MOST_COMPLETIONS = 100
_COMPLETION_SECONDS = 1.0

_Command = TypeVar("_Command", bound=Callable[..., Any])

INTERVALS = click.Choice([interval.value for interval in Interval])
FILE_OR_DASH = click.Path(dir_okay=False, allow_dash=True, path_type=Path)

url_option = click.option(
    "--url", default=None, help="URL of the API; by default API_URL, else this machine's."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
limit_option = click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
interval_option = click.option("--interval", "-i", type=INTERVALS, default="1d", show_default=True)


def api_options(command: _Command) -> _Command:
    """Add `--url` and `--json`: the command receives `url` and `as_json`."""
    return url_option(json_option(command))


class SymbolName(click.ParamType[str]):
    """A symbol in upper or lower case, converted to `EXCHANGE:TICKER`."""

    name = "EXCHANGE:TICKER"

    def convert(self, value: object, *_: object) -> str:
        try:
            return str(Symbol.parse(str(value)))
        except InvalidSymbol as error:
            self.fail(f"{error}; a symbol is like NASDAQ:AAPL")

    def shell_complete(
        self, context: click.Context, _: click.Parameter, incomplete: str
    ) -> list[Any]:
        """Return registered symbols that begin with the typed text."""
        typed = incomplete.upper()
        exchange, colon, ticker = typed.partition(":")
        filters = {"exchange": exchange, "query": ticker or None} if colon else {}

        def names(client: Client) -> Iterator[str]:
            for one in client.symbols.list(**filters):
                yield f"{one['exchange']}:{one['symbol']}"

        return completions(context, typed, names)


SYMBOL = SymbolName()


def client_of(url: str | None, **options: float) -> Client:
    """Return a client of the API at `url`, else of API_URL, with the key of the settings."""
    settings = ApiSettings.read(url)
    return Client(settings.api_url, settings.api_key, **options)


def completions(
    context: click.Context, typed: str, names: Callable[[Client], Iterable[str]]
) -> list[Any]:
    """Return the API's names that begin with `typed`; none if it needs over a second."""
    from click.shell_completion import CompletionItem

    try:
        client = client_of(context.params.get("url"), timeout=_COMPLETION_SECONDS)
        found = list(islice(names(client), _MOST_COMPLETIONS))
    except PocketQuantError:  # an error message would garble the command line being typed
        return []
    return [CompletionItem(name) for name in found if name.startswith(typed)]
