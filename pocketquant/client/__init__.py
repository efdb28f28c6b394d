"""A PocketQuant API from Python: `Client("http://127.0.0.1:8000").bars("NASDAQ:AAPL", "1d")`.

Bars are returned as frames; other answers are dictionaries of the types in `client.answers`. An
error of the API is raised as the class of that name in `pocketquant.domain.errors`; every call may
also raise `Unavailable` where no PocketQuant answers. pandas, polars and pyarrow are imported by
the first call that needs them.
"""

from pocketquant.client.answers import Fleet
from pocketquant.client.jobs import DeadLetters, Jobs
from pocketquant.client.quotes import Quotes
from pocketquant.client.schedules import Schedules
from pocketquant.client.series import SeriesCalls
from pocketquant.client.symbols import Symbols
from pocketquant.client.syncs import Syncs
from pocketquant.client.transport import Json, Transport

__all__ = ["Client", "Json"]


class Client:
    """Calls to one API over one session, grouped by noun.

    series          bars of a symbol: frames, pages, files, imports
    syncs           bars brought up to date, and how far each series is
    jobs            progress, units, cancel, retry
    dead_letters    failed syncs of all jobs
    symbols         the registry, and the provider's search
    quotes          subscriptions, latest quotes, streams
    schedules       what runs when

    The everyday calls are there without their group: `bars`, `export`, `import_bars`, `sync`,
    `bulk`, `search`. Threads may share a client. `timeout` is the number of seconds that one answer
    may take; a waiting sync takes up to 60.
    """

    def __init__(self, url: str, api_key: str | None = None, *, timeout: float = 70.0) -> None:
        transport = self._transport = Transport(url, api_key, timeout)
        self.series = SeriesCalls(transport)
        self.syncs = Syncs(transport)
        self.jobs = Jobs(transport)
        self.dead_letters = DeadLetters(transport)
        self.symbols = Symbols(transport)
        self.quotes = Quotes(transport)
        self.schedules = Schedules(transport)

        self.bars = self.series.bars
        self.export = self.series.export
        self.import_bars = self.series.import_bars
        self.sync = self.syncs.sync
        self.bulk = self.syncs.bulk
        self.search = self.symbols.search

    def __repr__(self) -> str:
        return f"Client({self._transport.server!r})"

    def fleet(self) -> Fleet:
        """Processes, queues, pace and schedules, and what is wrong with them."""
        return self._transport.call("GET", "/fleet")
