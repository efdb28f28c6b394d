"""The `pocketquant` command."""

import os
import signal
import sys
from pathlib import Path

import click
import orjson
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pocketquant import processes, programs
from pocketquant.client import Client, Json
from pocketquant.demo import fleet as demo_fleet
from pocketquant.demo import machine as demo_machine
from pocketquant.demo import watch_list
from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.intervals import Interval
from pocketquant.domain.syncs import MAX_BARS
from pocketquant.processes import Machine
from pocketquant.queues import QueueName
from pocketquant.settings import Settings


class QueueList(click.ParamType[tuple[QueueName, ...]]):
    """Names of queues with commas between them."""

    name = "queue,…"

    def convert(self, value: object, *_: object) -> tuple[QueueName, ...]:
        try:
            return tuple(QueueName(name) for name in str(value).split(","))
        except ValueError as error:
            self.fail(f"{error}; the queues are {', '.join(QueueName)}")


INTERVALS = click.Choice([interval.value for interval in Interval])

QUEUES = QueueList()

url_option = click.option("--url", default=None, help="The API; by default that of this machine.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")


class Commands(click.Group):
    """Shows our own errors and wrong settings as lines, not as a traceback."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except PocketQuantError as error:
            raise click.ClickException(f"{error} [{error.code}]") from error
        except TimeoutError as error:
            raise click.ClickException(str(error)) from error
        except ValidationError as error:
            raise click.ClickException(_wrong_settings(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pocketquant")
def main() -> None:
    """A market-data platform of your own: TradingView bars in MongoDB, served by REST."""


@main.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), default=None)
def up(data_dir: Path | None) -> None:
    """Run all processes on this machine until Ctrl-C; what dies is started again.

    MongoDB and Redis are private ones with their data under --data-dir (default .pocketquant)
    unless MONGODB_URL and REDIS_URL name others.
    """
    _end_at_sigterm()
    settings = Settings()
    console = Console()
    folder = data_dir or settings.data_dir
    with processes.running(settings, folder, show_logs=True) as machine:
        console.print(f"[bold]PocketQuant is up.[/] API docs: {machine.docs_url}")
        console.print(f"Streams: {machine.push_url}   Flower: {machine.flower_url}")
        console.print(f"One process: supervisorctl -c {folder / 'supervisord.conf'} status")
        _wait_for_the_end(machine)


@main.command()
@click.option("--once", is_flag=True, help="End after the sync.")
def demo(once: bool) -> None:
    """Show the main job on private servers and a simulated market; needs no account."""
    _end_at_sigterm()
    console = Console()
    console.print(
        "Starting MongoDB, Redis, a simulated TradingView, the API, workers, beat, Flower …"
    )
    with demo_machine.running() as machine:
        client, push = Client(machine.api_url), Client(machine.push_url)
        synced = watch_list.sync_watch_list(client, console)
        watch_list.show(synced, console)
        watch_list.show_newest_bars(client, console)
        watch_list.require_all_completed(synced)
        demo_fleet.sync_in_bulk(client, push, console)
        demo_fleet.run_schedule_now(client, console)
        demo_fleet.show_fleet(client, console)
        demo_fleet.show_flower(machine.flower_url, console)
        if not once:
            console.print(f"[bold]API docs:[/] {machine.docs_url}   (logs: {machine.logs})")
            console.print(f"[bold]Fleet:[/] {machine.api_url}/api/v1/fleet")
            console.print(
                f"[bold]Flower:[/] {machine.flower_url}/tasks"
                "   (FLOWER_USERNAME and FLOWER_PASSWORD, by default pocketquant twice)"
            )
            console.print("Ctrl-C ends everything and removes the demo's data.")
            _wait_for_the_end(machine)


@main.command()
@click.argument("symbols", nargs=-1, required=True, metavar="EXCHANGE:TICKER…")
@click.option("--interval", "-i", type=INTERVALS, default="1d", show_default=True)
@click.option("--bars", "-n", type=click.IntRange(1, MAX_BARS), default=MAX_BARS, show_default=True)
@url_option
@json_option
def sync(
    symbols: tuple[str, ...], interval: str, bars: int, url: str | None, as_json: bool
) -> None:
    """Bring series up to date through the API and wait for them."""
    client = Client(url or Settings().api_url)
    console = Console(stderr=True)
    reports = [
        client.sync(symbol, interval, bars)
        for symbol in track(symbols, "syncing", console=console, disable=len(symbols) == 1)
    ]
    columns = ("exchange", "symbol", "interval", "status", "fetched", "inserted", "changed")
    _print(reports, (*columns, "unchanged", "refused", "bar_count", "last_bar_at"), as_json)


@main.command()
@click.argument("symbol", metavar="EXCHANGE:TICKER")
@click.option("--interval", "-i", type=INTERVALS, default="1d", show_default=True)
@click.option("--limit", type=click.IntRange(1, MAX_BARS), default=20, show_default=True)
@click.option("--start", default=None, help="First open time, ISO 8601 with zone.")
@click.option("--end", default=None, help="Open times before this one.")
@url_option
@json_option
def bars(
    symbol: str,
    interval: str,
    limit: int,
    start: str | None,
    end: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Print stored bars, the newest first."""
    client = Client(url or Settings().api_url)
    dates = {"start_date": start, "end_date": end}
    given = {name: date for name, date in dates.items() if date is not None}
    answer = client.bars(symbol, interval, limit=limit, **given)
    _print(answer["data"], ("datetime", "open", "high", "low", "close", "volume"), as_json)


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def simulate(arguments: tuple[str, ...]) -> None:
    """Run the simulated TradingView; `simulate --help` lists its options and faults."""
    _become([sys.executable, "-m", "pocketquant.simulator", *arguments])


@main.command()
def web() -> None:
    """Run the API in this terminal, on API_HOST and API_PORT."""
    _become(programs.web_command(Settings()))


@main.command()
def push() -> None:
    """Run the API for streams that stay open, on PUSH_HOST and PUSH_PORT."""
    _become(programs.push_command(Settings()))


@main.command()
@click.option(
    "--queues", type=QUEUES, default=",".join(QueueName), show_default=True, help="In this order."
)
@click.option("--slots", type=click.IntRange(1), default=None, help="By default WORKER_SLOTS.")
def worker(queues: tuple[QueueName, ...], slots: int | None) -> None:
    """Run one Celery worker; start more, on any machine, to do more at a time.

    A worker of `--queues interactive` keeps what somebody waits for from queueing behind the rest.
    """
    _become(programs.worker_command(queues, slots, f"worker-{os.getpid()}"))


@main.command()
def beat() -> None:
    """Run the metronome that finds lost work again; a second one does no harm."""
    _become(programs.beat_command())


@main.command()
def flower() -> None:
    """Run the page that watches workers and tasks, on FLOWER_HOST and FLOWER_PORT."""
    _become(programs.flower_command())


def _end_at_sigterm() -> None:
    """Let SIGTERM unwind the stack, as Ctrl-C does, so that all that was started is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def _wait_for_the_end(machine: Machine) -> None:
    """Return at Ctrl-C, or when the supervisor has ended."""
    try:
        machine.supervisord.wait()
    except KeyboardInterrupt:
        return


def _become(command: list[str]) -> None:
    os.execvp(command[0], command)  # noqa: S606  # signals then reach the program itself


def _wrong_settings(error: ValidationError) -> str:
    problems = (
        f"{'.'.join(map(str, problem['loc'])).upper() or 'settings'}: {problem['msg']}"
        for problem in error.errors()
    )
    return "; ".join(problems)


def _print(rows: list[Json], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if row.get(name) is None else str(row[name]) for name in columns))
    Console().print(table)
