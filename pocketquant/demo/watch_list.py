"""The demo's watch-list: series of every kind, each synced by its own job."""

from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table

from pocketquant.client import Client
from pocketquant.client.responses import Job, SyncStatus
from pocketquant.demo.progress import progress_bar
from pocketquant.domain.errors import PocketQuantError
from pocketquant.servers.connections import wait_until

_SYNC_SECONDS = 300.0
_N_BARS = 5000

WATCH_LIST = (
    ("SP:SPX", ("1d",)),
    ("BINANCE:BTCUSDT", ("1m", "3m", "5m", "15m", "30m", "45m", "1h", "2h", "3h", "4h", "1d")),
    ("BINANCE:ETHUSDT", ("1m", "1h", "1d", "1w", "1M")),
    ("NASDAQ:AAPL", ("1m", "15m", "1h", "1d", "1w", "1M")),
    ("NASDAQ:MSFT", ("5m", "1h", "1d")),
    ("NSE:RELIANCE", ("15m", "1h", "1d")),
    ("HKEX:700", ("1h", "1d")),
    ("TVC:RUT", ("1h", "1d")),
    ("OANDA:EURUSD", ("1h", "1d")),
    ("CME_MINI:ES1!", ("1h", "1d")),
)


@dataclass(frozen=True, slots=True)
class Synced:
    """One series of the watch-list, as the API returns it after the sync."""

    symbol: str
    interval: str
    job: Job
    status: SyncStatus


def sync_watch_list(client: Client, console: Console) -> list[Synced]:
    """Sync every series of the watch-list through the API, with a progress bar."""
    jobs: dict[tuple[str, str], Job] = {
        (symbol, interval): client.syncs.in_background(symbol, interval, _N_BARS)
        for symbol, intervals in WATCH_LIST
        for interval in intervals
    }
    with progress_bar(console) as progress:
        task = progress.add_task("syncing", total=len(jobs))

        def have_ended() -> bool:
            for series, job in jobs.items():
                if not job["finished_at"]:
                    jobs[series] = client.jobs.get(job["job_id"])
            ended = sum(bool(job["finished_at"]) for job in jobs.values())
            progress.update(task, completed=ended)
            return ended == len(jobs)

        wait_until("the watch-list is synced", have_ended, (), _SYNC_SECONDS)
    return [
        Synced(symbol, interval, job, client.syncs.status(symbol, interval))
        for (symbol, interval), job in jobs.items()
    ]


def show(synced: list[Synced], console: Console) -> None:
    """Print the table of synced series."""
    table = Table(title=f"{len(synced)} series synced through REST and Celery workers")
    for heading in ("series", "bars", "first", "last", "seconds", "status"):
        table.add_column(heading, justify="right" if heading in {"bars", "seconds"} else "left")
    for one in synced:
        table.add_row(
            f"{one.symbol} {one.interval}",
            f"{one.status['bar_count']:,}",
            _day(one.status["first_bar_at"]),
            _day(one.status["last_bar_at"]),
            f"{_seconds(one.job):.2f}",
            one.status["status"],
        )
    console.print(table)


def show_newest_bars(client: Client, console: Console) -> None:
    """Print the newest bars of the one series that was captured from TradingView."""
    title = "SP:SPX 1d, as captured from TradingView in 2023: the newest five bars"
    bars = client.series.page("SP:SPX", "1d", limit=5)["data"]
    table = Table(*bars[0], title=title)
    for bar in bars:
        table.add_row(*map(str, bar.values()))
    console.print(table)


def require_all_completed(synced: list[Synced]) -> None:
    """Raise an error if a series was not synced."""
    failed = [one for one in synced if one.status["status"] != "completed"]
    if failed:
        names = ", ".join(f"{one.symbol} {one.interval}" for one in failed)
        raise PocketQuantError(f"not synced: {names}")


def _day(moment: str | None) -> str:
    return moment[:10] if moment else ""


def _seconds(job: Job) -> float:
    start, end = job["created_at"], job["finished_at"] or job["created_at"]
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
