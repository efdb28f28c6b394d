"""Series brought up to date."""

from collections.abc import Iterable, Iterator

from pocketquant.client import waiting
from pocketquant.client.asking import (
    Asking,
    Filter,
    job_path,
    symbol_fields,
    symbol_path,
    symbols_body,
)
from pocketquant.client.transport import Json


class Syncs(Asking):
    """Calls that fetch bars from TradingView. Each may be sent twice, and is done once."""

    def sync(self, symbol: str, interval: str, n_bars: int) -> Json:
        """Bring a series up to date and wait for the report; a job where that takes too long."""
        return self._call_once("/market-data/sync", _wish(symbol, interval, n_bars))

    def sync_in_background(self, symbol: str, interval: str, n_bars: int) -> Json:
        """The job that brings the series up to date."""
        return self._call_once("/market-data/sync/background", _wish(symbol, interval, n_bars))

    def bulk(
        self,
        symbols: Iterable[str],
        intervals: Iterable[str],
        n_bars: int,
        *,
        progress: bool = False,
        wait: bool = False,
    ) -> Json:
        """The one job that brings every symbol up to date at every interval; 10,000 at most.

        At once as it was made; with `wait` or `progress` once it has ended: failed syncs are in
        its `counts` and `first_errors`, and are no exception. `progress` shows a bar on stderr. A
        server that restarts is waited for. Ctrl-C ends the waiting, not the job.
        """
        body = {**symbols_body(symbols), "intervals": list(intervals), "n_bars": n_bars}
        job = self._call_once("/market-data/sync/bulk", body)
        if not (wait or progress):
            return job
        path = job_path(job["job_id"])
        return waiting.until_it_ends(lambda: self._call("GET", path), job["job_id"], progress)

    def sync_status(self, symbol: str, interval: str) -> Json:
        """What is known of the series' last sync; NotFound where nobody asked for it."""
        path = f"/market-data/sync-status/{symbol_path(symbol)}"
        return self._call("GET", path, params={"interval": interval})

    def sync_statuses(self, **filters: Filter) -> Iterator[Json]:
        """What is known of every series' last sync, all pages of it.

        Filters: `exchange`, `symbol` (the ticker), `interval`, `status`, `error`, `stale_before`.
        """
        return self._pages("/market-data/sync-status", filters)


def _wish(symbol: str, interval: str, n_bars: int) -> Json:
    return {**symbol_fields(symbol), "interval": interval, "n_bars": n_bars}
