"""The processes of PocketQuant: all of them (`up`, `demo`), or one in this terminal."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

from pocketquant.machine import data_folder, exposure, processes, programs, shared_metrics
from pocketquant.machine.processes import Machine
from pocketquant.messaging.queues import QueueName
from pocketquant.pausing import pause
from pocketquant.settings import Settings

_LOOK_SECONDS = 1.0  # at the supervisor


class _Ending:
    """A plain flag: a lock could be held by the very thread that a signal interrupts."""

    is_wanted = False


class QueueList(click.ParamType[tuple[QueueName, ...]]):
    """Names of queues with commas between them."""

    name = "queue,…"

    def convert(self, value: object, *_: object) -> tuple[QueueName, ...]:
        try:
            return tuple(QueueName(name) for name in str(value).split(","))
        except ValueError as error:
            self.fail(f"{error}; the queues are {', '.join(QueueName)}")


QUEUES = QueueList()


@click.command()
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
        console.print(f"Streams: {machine.push_url}")
        console.print(
            f"Flower: {machine.flower_url} ({machine.shown_flower_login})", soft_wrap=True
        )
        console.print(f"One process: supervisorctl -c {folder / 'supervisord.conf'} status")
        _wait_for_the_end(machine)


@click.command()
@click.option("--once", is_flag=True, help="End after the sync and a look at live quotes.")
@click.option(
    "--minutes",
    type=click.IntRange(1),
    default=None,
    help="End once the live bars of so many minutes are compared.",
)
def demo(once: bool, minutes: int | None) -> None:
    """Show the platform on private servers and a simulated market; needs no account.

    It goes on until Ctrl-C: each minute, the bars built from live quotes are compared with the
    exchange's own. One that differs ends it with exit code 1.
    """
    if once and minutes:
        raise click.UsageError("--once and --minutes exclude each other")
    from pocketquant.demo import tour

    _end_at_sigterm()
    tour.run(Console(), once, minutes)


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def simulate(arguments: tuple[str, ...]) -> None:
    """Run the simulated TradingView; `simulate --help` lists its options and faults."""
    _become([sys.executable, "-m", "pocketquant.simulator", *arguments])


@click.command()
def web() -> None:
    """Run the API in this terminal, on API_HOST and API_PORT."""
    settings = _safe_settings()
    shared_metrics.prepare(settings.api_port)
    _become(programs.web_program_command(settings, settings.web_processes))


@click.command()
def push() -> None:
    """Run the API for streams that stay open, on PUSH_HOST and PUSH_PORT."""
    _become(programs.push_command(_safe_settings()))


@click.command()
@click.option(
    "--queues", type=QUEUES, default=",".join(QueueName), show_default=True, help="In this order."
)
@click.option("--slots", type=click.IntRange(1), default=None, help="By default WORKER_SLOTS.")
def worker(queues: tuple[QueueName, ...], slots: int | None) -> None:
    """Run one Celery worker; start more, on any machine, to do more at a time.

    A worker of `--queues interactive` keeps what somebody waits for from queueing behind the rest.
    """
    _become(programs.worker_command(queues, slots, f"worker-{os.getpid()}"))


@click.command()
def beat() -> None:
    """Run the metronome that finds lost work again; a second one does no harm."""
    _become(programs.beat_command())


@click.command()
def streamer() -> None:
    """Run one streamer of live quotes: it takes a shard without one, or stands by for one."""
    _become(programs.streamer_command())


@click.command()
def flower() -> None:
    """Run the page that watches workers and tasks, on FLOWER_HOST and FLOWER_PORT."""
    settings = _safe_settings()
    if data_folder.with_flower_password(settings, settings.data_dir) is not settings:
        kept = data_folder.password_file(settings.data_dir).absolute()
        click.echo(f"Flower: user {settings.flower_username}, its password is in {kept}", err=True)
    _become(programs.flower_command())


def _safe_settings() -> Settings:
    """The settings, of something that may listen with them."""
    settings = Settings()
    exposure.require_safe(settings)
    return settings


def _end_at_sigterm() -> None:
    """Let SIGTERM unwind the stack, as Ctrl-C does, so that all that was started is ended."""
    signal.signal(signal.SIGTERM, _end)


def _end(*_: object) -> None:
    """Python swallows what is raised inside a finalizer, so it is noted too."""
    _Ending.is_wanted = True
    sys.exit(0)


def _wait_for_the_end(machine: Machine) -> None:
    """Return at Ctrl-C, when told to end, or when the supervisor has ended."""
    with suppress(KeyboardInterrupt):
        while machine.supervisord.poll() is None and not _Ending.is_wanted:
            pause(_LOOK_SECONDS)


def _become(command: list[str]) -> None:
    os.execvp(command[0], command)  # noqa: S606  # signals then reach the program itself
