"""A PocketQuant API from Python: `Client("http://127.0.0.1:8000").bars("NASDAQ:AAPL", "1d")`.

Bars come as a DataFrame; other answers are the API's JSON, decoded. What the API refuses is raised
as the error it names, from `pocketquant.domain.errors`; every call may also raise `Unavailable`
where no PocketQuant answers. pandas, polars and pyarrow are imported by the first call that needs
them.
"""

from pocketquant.client.bars import Bars
from pocketquant.client.imports import Imports
from pocketquant.client.jobs import Jobs
from pocketquant.client.operations import Operations
from pocketquant.client.quotes import Quotes
from pocketquant.client.symbols import Symbols
from pocketquant.client.syncs import Syncs
from pocketquant.client.transport import Json, Transport

__all__ = ["Client", "Json"]


class Client(Bars, Imports, Syncs, Jobs, Symbols, Quotes, Operations):
    """Calls to one API over one session; with an API key where it wants one.

    `timeout` is how many seconds an answer may take; a waiting sync holds its own back for up to
    60. Threads may share a client.
    """

    def __init__(self, url: str, api_key: str | None = None, *, timeout: float = 70.0) -> None:
        super().__init__(Transport(url, api_key, timeout))
