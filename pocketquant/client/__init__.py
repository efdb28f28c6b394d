"""Call a PocketQuant API: `Client("http://127.0.0.1:8000").bars("NASDAQ:AAPL", "1d")`.

Bars are returned as frames, other responses as dictionaries of the types in `client.responses`. An
error of the API is raised as its class in `pocketquant.domain.errors`; every call may also raise
`Unavailable` if no PocketQuant responds. pandas, polars and pyarrow are imported by
the first call that needs them.
"""

from pocketquant.client.jobs import DeadLetters, Jobs
from pocketquant.client.keys import Keys
from pocketquant.client.quotes import Quotes
from pocketquant.client.responses import Fleet
from pocketquant.client.schedules import Schedules
from pocketquant.client.series import SeriesCalls
from pocketquant.client.symbols import Symbols
from pocketquant.client.syncs import Syncs
from pocketquant.client.transport import Json, Transport

__all__ = ["Client", "Json"]


class Client:
    """Calls to one API over one session, grouped by noun.

    series          bars of a symbol: frames, pages, files, imports; coverage and holes
    syncs           syncs of one series or of many, and the state of each series
    jobs            progress, units, pause, resume, cancel, retry
    dead_letters    failed syncs of all jobs
    symbols         the registry, and the provider's search
    quotes          subscriptions, latest quotes, streams
    schedules       regular syncs
    keys            API keys: list, create, revoke; what your own may do

    The everyday calls are also methods of the client: `bars`, `export`, `import_bars`, `sync`,
    `bulk`, `backfill`, `repair`, `holes`, `search`, `calendar`. Threads may share a client.
    `timeout` is the number of seconds that one response may take; a waiting sync takes up to 60.
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
        self.keys = Keys(transport)

        self.bars = self.series.bars
        self.export = self.series.export
        self.import_bars = self.series.import_bars
        self.sync = self.syncs.sync
        self.bulk = self.syncs.bulk
        self.backfill = self.syncs.backfill
        self.repair = self.syncs.repair
        self.holes = self.series.holes
        self.search = self.symbols.search
        self.calendar = self.symbols.calendar

    def __repr__(self) -> str:
        return f"Client({self._transport.server!r})"

    def fleet(self) -> Fleet:
        """Return the processes, queues, pace and schedules, with a list of problems."""
        return self._transport.call("GET", "/fleet")
