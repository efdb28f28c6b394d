"""`LiveQuotes`: the current quotes of some symbols, for a terminal.

follow          receives changed quotes from the push process
check_status    finds out from the API's /quotes/status why symbols have no quotes
rich.live       draws the table of both at its own rate
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

_STATUS_SECONDS = 3.0


class LiveQuotes:
    """The latest quotes and problems: one thread follows, another checks, a third may draw."""

    def __init__(self, client: Client, push: Client, symbols: Collection[str]) -> None:
        self._client = client
        self._push = push
        self._symbols = tuple(dict.fromkeys(str(Symbol.parse(symbol)) for symbol in symbols))
        self._quotes: dict[str, Quote] = {}
        self._directions: dict[str, float] = {}
        self._refusals: dict[str, str] = {}
        self._problem: str | None = None
        self._reported: set[str] = set()
        self._reporting = Lock()
        self.changes = 0

    def follow(self) -> Iterator[Quote]:
        """Yield the latest quote of each symbol, then every changed one, for ever."""
        for quote in self._push.quotes.stream(self._symbols):
            name = name_of(quote)
            before = self._quotes.get(name)
            if quote != before:
                self._quotes[name] = quote
                self._directions[name] = _direction(before, quote) or self._directions.get(name, 0)
                self.changes += 1
                yield quote

    @contextmanager
    def checking_status(self, report: Callable[[str], None]) -> Iterator[None]:
        """Check the status every few seconds during the block; `report` gets each new problem.

        There are no reports after the block has ended, so that its own error is the last message.
        """
        ended = Event()
        thread = Thread(target=self._check_until, args=(ended, report), name="status", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._reporting:
                ended.set()

    def __rich__(self) -> Group:
        table = quote_table(self._symbols, self._quotes, self._directions, tuple(self._refusals))
        refusals = [Text(why, "red") for why in tuple(self._refusals.values())]
        problem = [Text(self._problem, "bold yellow")] if self._problem else []
        return Group(table, *refusals, *problem)

    def _check_until(self, ended: Event, report: Callable[[str], None]) -> None:
        """Check and report in turn. `Loops` is no choice here: it needs libraries of the server."""
        while not ended.is_set():
            self._check_status()
            self._report_new(ended, report)
            ended.wait(_STATUS_SECONDS)

    def _report_new(self, ended: Event, report: Callable[[str], None]) -> None:
        problems = {*self._refusals.values(), *([self._problem] if self._problem else [])}
        with self._reporting:
            for problem in sorted(problems - self._reported) if not ended.is_set() else ():
                report(problem)
        self._reported = problems

    def _check_status(self) -> None:
        try:
            status = self._client.quotes.status()
        except PocketQuantError as error:
            self._problem = f"{error} [{error.code}]"
            return
        refused = {name_of(each): each for each in status["refused"]}
        self._refusals = {
            symbol: f"{refused[symbol]['message']} [{refused[symbol]['error']}]"
            for symbol in self._symbols
            if symbol in refused
        }
        self._problem = _problem_of_all(status)


def _direction(before: Quote | None, quote: Quote) -> float:
    """Return the change of the last price; 0 if either price is unknown."""
    last, now = before["last_price"] if before else None, quote["last_price"]
    return 0.0 if last is None or now is None else now - last


def _problem_of_all(status: QuotesStatus) -> str | None:
    """Return why no symbol has new quotes; None if a streamer is connected."""
    if not status["streaming"]:
        return "streaming is stopped; POST /api/v1/quotes/start starts it"
    if not status["streamers"]:
        return "no streamer is running"
    if all(streamer["connected_at"] is None for streamer in status["streamers"]):
        return "no streamer is connected to the provider"
    return None
