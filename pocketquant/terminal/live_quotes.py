"""`LiveQuotes`: what is seen of some symbols at this moment, for a terminal.

follow          changed quotes, as the push process streams them
look            why there are none of some: the API's /quotes/status
rich.live       a table of it all, drawn as often as it likes
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

from rich.console import Group
from rich.text import Text

from pocketquant.client import Client
from pocketquant.client.responses import Quote, QuotesStatus
from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.symbols import Symbol
from pocketquant.terminal.quote_table import name_of, quote_table

_LOOK_SECONDS = 3.0


class LiveQuotes:
    """One thread follows, another looks; whoever draws reads what is known by then."""

    def __init__(self, client: Client, push: Client, symbols: Collection[str]) -> None:
        self._client = client
        self._push = push
        self._symbols = tuple(dict.fromkeys(str(Symbol.parse(symbol)) for symbol in symbols))
        self._quotes: dict[str, Quote] = {}
        self._directions: dict[str, float] = {}
        self._refusals: dict[str, str] = {}
        self._trouble: str | None = None
        self._told: set[str] = set()
        self._telling = Lock()
        self.changes = 0

    def follow(self) -> Iterator[Quote]:
        """The latest quote of each symbol, and each that changes, for ever."""
        for quote in self._push.quotes.stream(self._symbols):
            name = name_of(quote)
            before = self._quotes.get(name)
            if quote != before:
                self._quotes[name] = quote
                self._directions[name] = _direction(before, quote) or self._directions.get(name, 0)
                self.changes += 1
                yield quote

    @contextmanager
    def looked_after(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Look every few seconds for as long as the block lasts; `tell` hears what is new.

        Nothing is told once the block has ended: its own error is the last word.
        """
        ended = Event()
        thread = Thread(target=self._look_until, args=(ended, tell), name="status", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._telling:
                ended.set()

    def __rich__(self) -> Group:
        table = quote_table(self._symbols, self._quotes, self._directions, tuple(self._refusals))
        refusals = [Text(why, "red") for why in tuple(self._refusals.values())]
        trouble = [Text(self._trouble, "bold yellow")] if self._trouble else []
        return Group(table, *refusals, *trouble)

    def _look_until(self, ended: Event, tell: Callable[[str], None]) -> None:
        """Not one of the `Loops`, whose libraries only the server has; an error is printed."""
        while not ended.is_set():
            self._tell(ended, tell)
            ended.wait(_LOOK_SECONDS)

    def _tell(self, ended: Event, tell: Callable[[str], None]) -> None:
        self._look()
        troubles = {*self._refusals.values(), *([self._trouble] if self._trouble else [])}
        with self._telling:
            for trouble in sorted(troubles - self._told) if not ended.is_set() else ():
                tell(trouble)
        self._told = troubles

    def _look(self) -> None:
        try:
            status = self._client.quotes.status()
        except PocketQuantError as error:
            self._trouble = f"{error} [{error.code}]"
            return
        refused = {name_of(each): each for each in status["refused"]}
        self._refusals = {
            symbol: f"{refused[symbol]['message']} [{refused[symbol]['error']}]"
            for symbol in self._symbols
            if symbol in refused
        }
        self._trouble = _why_all_is_silent(status)


def _direction(before: Quote | None, quote: Quote) -> float:
    """Where the last price went; 0 where it stayed, or nothing is known."""
    last, now = before["last_price"] if before else None, quote["last_price"]
    return 0.0 if last is None or now is None else now - last


def _why_all_is_silent(status: QuotesStatus) -> str | None:
    if not status["streaming"]:
        return "streaming is stopped; POST /api/v1/quotes/start starts it"
    if not status["streamers"]:
        return "no streamer is running"
    if all(streamer["connected_at"] is None for streamer in status["streamers"]):
        return "no streamer is connected to the provider"
    return None
