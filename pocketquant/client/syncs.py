"""Series brought up to date."""

from collections.abc import Iterable, Iterator

from pocketquant.client import waiting
from pocketquant.client.answers import Job, JobProgress, SyncResult, SyncStatus
from pocketquant.client.calls import (
    Calls,
    Filter,
    job_path,
    symbol_fields,
    symbol_path,
    symbols_body,
)
from pocketquant.client.transport import Json


class Syncs(Calls):
    """Calls that fetch bars from TradingView. Sent again after a failure, each runs once."""

    def sync(self, symbol: str, interval: str, n_bars: int) -> SyncResult | Job:
        """Bring a series up to date, wait, and return the report; a job where it takes too long."""
        return self._call_once("/market-data/sync", _body(symbol, interval, n_bars))

    def in_background(self, symbol: str, interval: str, n_bars: int) -> Job:
        """Return the job that brings a series up to date, without waiting for it."""
        return self._call_once("/market-data/sync/background", _body(symbol, interval, n_bars))

    def bulk(
        self,
        symbols: Iterable[str],
        intervals: Iterable[str],
        n_bars: int,
        *,
        progress: bool = False,
        wait: bool = False,
    ) -> Job | JobProgress:
        """Submit one job that syncs every symbol at every interval; at most 10,000 symbols.

        Returns at once, or with `wait` or `progress` when the job has ended. Failed syncs raise
        nothing: they are in its `counts` and `first_errors`. `progress` shows a bar on stderr. A
        server that restarts is waited for. Ctrl-C ends the wait, not the job.
        """
        body = {**symbols_body(symbols), "intervals": list(intervals), "n_bars": n_bars}
        job: Job = self._call_once("/market-data/sync/bulk", body)
        if not (wait or progress):
            return job
        path = job_path(job["job_id"])
        return waiting.until_it_ends(lambda: self._call("GET", path), job["job_id"], progress)

    def status(self, symbol: str, interval: str) -> SyncStatus:
        """Return the state of a series and of its last sync; NotFound: it was never synced."""
        path = f"/market-data/sync-status/{symbol_path(symbol)}"
        return self._call("GET", path, params={"interval": interval})

    def statuses(self, **filters: Filter) -> Iterator[SyncStatus]:
        """Yield the states of all series, over all pages.

        Filters: `exchange`, `symbol` (the ticker), `interval`, `status`, `error`, `stale_before`.
        """
        return self._pages("/market-data/sync-status", filters)


def _body(symbol: str, interval: str, n_bars: int) -> Json:
    return {**symbol_fields(symbol), "interval": interval, "n_bars": n_bars}
