"""Syncs, which bring series up to date."""

from collections.abc import Iterable, Iterator

from pocketquant.client import waiting
from pocketquant.client.calls import (
    Calls,
    Filter,
    Moment,
    job_path,
    query_of,
    symbol_fields,
    symbol_path,
    symbols_body,
)
from pocketquant.client.responses import (
    BackfillJob,
    Estimate,
    Job,
    JobProgress,
    SyncResult,
    SyncStatus,
)
from pocketquant.client.transport import Json


class Syncs(Calls):
    """Calls that sync bars from TradingView; repeated after a failure, a call still runs once."""

    def sync(
        self,
        symbol: str,
        interval: str,
        n_bars: int | None = None,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> SyncResult | Job:
        """Sync a series and return the report, or the job if it goes on after the API's wait.

        Fetches the newest `n_bars` bars (by default 5000), or all bars in [start, end), as far back
        as TradingView serves them. The report's `stop` says why it went no further back.
        """
        return self._call_once("/market-data/sync", _body(symbol, interval, n_bars, start, end))

    def in_background(
        self,
        symbol: str,
        interval: str,
        n_bars: int | None = None,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> Job:
        """Submit the sync of a series, and return its job at once."""
        body = _body(symbol, interval, n_bars, start, end)
        return self._call_once("/market-data/sync/background", body)

    def bulk(
        self,
        symbols: Iterable[str],
        intervals: Iterable[str],
        n_bars: int | None = None,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        progress: bool = False,
        wait: bool = False,
    ) -> Job | JobProgress:
        """Submit one job that syncs every symbol at every interval; at most 10,000 symbols.

        Which bars it fetches is said as for `sync`. Returns at once, or with `wait` or `progress`
        when the job has ended. Failed syncs raise nothing: they are in its `counts` and
        `first_errors`. `progress` shows a bar on stderr. The wait outlasts a restart of the server.
        Ctrl-C ends the wait, not the job.
        """
        wanted = query_of({"n_bars": n_bars, "start": start, "end": end})
        body = {**symbols_body(symbols), "intervals": list(intervals), **wanted}
        job: Job = self._call_once("/market-data/sync/bulk", body)
        if not (wait or progress):
            return job
        return self._wait_for(job, progress)

    def backfill(
        self,
        symbols: Iterable[str],
        intervals: Iterable[str],
        start: Moment = "all",
        *,
        end: Moment | None = None,
        progress: bool = False,
        wait: bool = False,
    ) -> BackfillJob | JobProgress:
        """Submit one job that fetches all bars since `start`, or all that TradingView serves.

        It gives way to all other work, and can be paused, resumed and cancelled (`jobs`). Waits as
        `bulk` does; `progress` shows how much of the wanted time was walked back. The expected
        bars are in the `estimate` of the job that is returned at once; the results in `backfill` of
        the job that has ended, and those of each series in `jobs.units`.
        """
        body = _range_body(symbols, intervals, start, end)
        job: BackfillJob = self._call_once("/market-data/backfill", body)
        return self._wait_for(job, progress) if wait or progress else job

    def estimate(
        self,
        symbols: Iterable[str],
        intervals: Iterable[str],
        start: Moment = "all",
        *,
        end: Moment | None = None,
    ) -> Estimate:
        """Return the bars expected of a backfill, without beginning it."""
        body = _range_body(symbols, intervals, start, end)
        return self._call("POST", "/market-data/backfill/estimate", json=body)

    def repair(
        self,
        symbols: Iterable[str],
        intervals: Iterable[str] = (),
        *,
        progress: bool = False,
        wait: bool = False,
    ) -> Job | JobProgress:
        """Submit one job that fills the holes of at most 500 symbols.

        Without intervals, of all their series that were ever synced. Waits as `bulk` does.
        """
        body = {**symbols_body(symbols), "intervals": list(intervals)}
        job: Job = self._call_once("/market-data/repair", body)
        return self._wait_for(job, progress) if wait or progress else job

    def status(self, symbol: str, interval: str) -> SyncStatus:
        """Return the state of a series and of its last sync; NotFound if it was never synced."""
        path = f"/market-data/sync-status/{symbol_path(symbol)}"
        return self._call("GET", path, params={"interval": interval})

    def statuses(self, **filters: Filter) -> Iterator[SyncStatus]:
        """Yield the states of all series, over all pages.

        Filters: `exchange`, `symbol` (the ticker), `interval`, `status`, `error`, `stale_before`.
        """
        return self._pages("/market-data/sync-status", filters)

    def _wait_for(self, job: Job, progress: bool) -> JobProgress:
        path = job_path(job["job_id"])
        return waiting.wait_for_job(lambda: self._call("GET", path), job["job_id"], progress)


def _range_body(
    symbols: Iterable[str], intervals: Iterable[str], start: Moment, end: Moment | None
) -> Json:
    wanted = query_of({"start": start, "end": end})
    return {**symbols_body(symbols), "intervals": list(intervals), **wanted}


def _body(
    symbol: str, interval: str, n_bars: int | None, start: Moment | None, end: Moment | None
) -> Json:
    wanted = query_of({"n_bars": n_bars, "start": start, "end": end})
    return {**symbol_fields(symbol), "interval": interval, **wanted}
