"""Names near a mistyped symbol."""

from difflib import get_close_matches

from pocketquant.client import Client
from pocketquant.commands.output import print_note
from pocketquant.domain.errors import PocketQuantError

_MOST_FOUND = 50
_MOST_SHOWN = 3
_SHORTEST = 2


def note_nearest(client: Client, symbol: str) -> None:
    """Print the names most like that of a symbol that the provider does not know."""
    if near := _nearest(client, symbol):
        print_note(f"{symbol}: did you mean {' or '.join(near)}?")


def _nearest(client: Client, symbol: str) -> list[str]:
    """Return the symbols of the provider whose names are most like this one, at most three.

    Searches for the ticker, then for it without its last letter. None where the search fails.
    """
    ticker = symbol.partition(":")[2]
    for text in (ticker, ticker[:-1]):
        if len(text) < _SHORTEST:
            break
        try:
            found = client.search(text, limit=_MOST_FOUND)["symbols"]
        except PocketQuantError:
            break
        names = [f"{one['exchange']}:{one['symbol']}" for one in found]
        if near := get_close_matches(symbol, names, _MOST_SHOWN):
            return near
    return []
