"""`up`, `demo`, and a command for each process of PocketQuant in this terminal."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

from pocketquant.commands.machine import data_dir_option
from pocketquant.commands.output import print_note
from pocketquant.hints import as_typed
from pocketquant.machine import data_folder, exposure, processes, programs, shared_metrics
from pocketquant.machine.background import go_to_background
from pocketquant.machine.processes import Machine
from pocketquant.messaging.queues import QueueName
from pocketquant.pausing import pause
from pocketquant.settings import Settings
from pocketquant.simulator.clocks import parse_time

_OWN_LOG = "up.log"
_POLL_SECONDS = 1.0  # between looks at the supervisor


class _Termination:
    """Whether SIGTERM has arrived. A plain flag: the interrupted thread might hold a lock."""

    is_requested = False


class QueueList(click.ParamType[tuple[QueueName, ...]]):
    """Names of queues, separated by commas."""

    name = "queue,…"

    def convert(self, value: object, *_: object) -> tuple[QueueName, ...]:
        try:
            return tuple(QueueName(name) for name in str(value).split(","))
        except ValueError as error:
            self.fail(f"{error}; the queues are {', '.join(QueueName)}")


QUEUES = QueueList()


def _require_time(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> str | None:
    """Return the text; BadParameter if it is no time."""
    try:
        if text is not None:
            parse_time(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return text


@click.command()
@data_dir_option
@click.option("-d", "--detach", is_flag=True, help="Return once it is up; `down` ends it.")
def up(data_dir: Path | None, detach: bool) -> None:
    """Run all processes on this machine until Ctrl-C, or in the background.

    A process that dies is restarted. Without MONGODB_URL and REDIS_URL it starts private servers,
    which keep their data under --data-dir (default .pocketquant). Each process has a log there.
    """
    settings = Settings()
    folder = data_dir or settings.data_dir
    settle = go_to_background() if detach else None
    _unwind_at_sigterm()
    print_note("PocketQuant is starting; this takes some seconds.")
    with processes.running(settings, folder) as machine:
        _show_machine(machine, "" if data_dir is None else f" --data-dir {folder}")
        if settle:
            settle(machine.logs / _OWN_LOG)
        _wait_for_end(machine)


def _show_machine(machine: Machine, of_folder: str) -> None:
    """Print on one screen what runs, where, and how to look after it."""
    running = [f"{each.name} ×{each.count}" for each in machine.programs]
    lines = {
        "The page": f"{machine.api_url}/",
        "API docs": machine.docs_url,
        "Streams": machine.push_url,
        "Flower": f"{machine.flower_url} ({machine.shown_flower_login})",
        "Running": ", ".join(running),
        "Each one": f"`pocketquant status{of_folder}`",
        "Its log": f"`pocketquant logs{of_folder} -f NAME`, in {machine.logs}",
        "To end": f"Ctrl-C, or `pocketquant down{of_folder}` from anywhere",
    }
    click.secho("PocketQuant is up.", bold=True)
    for name, text in lines.items():
        click.echo(f"  {name:<10}{as_typed(text)}")


@click.command()
@click.option("--once", is_flag=True, help="End after the syncs and a look at live quotes.")
@click.option(
    "--minutes",
    type=click.IntRange(1),
    default=None,
    help="End once the live bars of this many minutes are compared.",
)
@click.option(
    "--speed",
    type=click.FloatRange(1, 600),
    default=1.0,
    show_default=True,
    help="How many seconds of the market pass in a second.",
)
@click.option(
    "--start",
    metavar="ISO",
    callback=_require_time,
    help="The market's time to start at, not now.",
)
def demo(once: bool, minutes: int | None, speed: float, start: str | None) -> None:
    """Show the platform with a simulated market.

    It uses private servers and needs no account. It runs until Ctrl-C, and each minute compares the
    bars built from live quotes with those of the simulated exchange. A difference ends it with exit
    code 1.
    """
    if once and minutes:
        raise click.UsageError("--once and --minutes exclude each other")
    from pocketquant.demo import tour

    _unwind_at_sigterm()
    tour.run(Console(), once, minutes, speed, start)


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def simulate(arguments: tuple[str, ...]) -> None:
    """Run the simulated TradingView; see `simulate --help`."""
    _become([sys.executable, "-m", "pocketquant.simulator", *arguments])


@click.command()
def web() -> None:
    """Run the API in this terminal, on API_HOST and API_PORT."""
    settings = _safe_settings()
    shared_metrics.prepare(settings.api_port)
    _become(programs.web_program_command(settings, settings.web_processes))


@click.command()
def push() -> None:
    """Run the API for streams, on PUSH_HOST and PUSH_PORT."""
    _become(programs.push_command(_safe_settings()))


@click.command()
@click.option(
    "--queues",
    type=QUEUES,
    default=",".join(QueueName),
    show_default=True,
    help="Queues to serve, the first before the others.",
)
@click.option("--slots", type=click.IntRange(1), default=None, help="By default WORKER_SLOTS.")
def worker(queues: tuple[QueueName, ...], slots: int | None) -> None:
    """Run one Celery worker.

    Start more, on any machine, to sync more series at once. Bulk jobs do not delay a worker of
    `--queues interactive`, which serves waiting callers.
    """
    _become(programs.worker_command(queues, slots, f"worker-{os.getpid()}"))


@click.command()
def beat() -> None:
    """Run Celery beat, which publishes ticks.

    Ticks start schedules and recover lost work. A second beat does no harm.
    """
    _become(programs.beat_command())


@click.command()
def streamer() -> None:
    """Run one streamer of live quotes.

    It takes a free shard, or stands by until one is free.
    """
    _become(programs.streamer_command())


@click.command()
def flower() -> None:
    """Run Flower, on FLOWER_HOST and FLOWER_PORT.

    Flower is a web page about workers and tasks.
    """
    settings = _safe_settings()
    if data_folder.with_flower_password(settings, settings.data_dir) is not settings:
        file = data_folder.password_file(settings.data_dir).absolute()
        click.echo(f"Flower: user {settings.flower_username}, its password is in {file}", err=True)
    _become(programs.flower_command())


def _safe_settings() -> Settings:
    """Return the settings; InvalidSettings where it would be unsafe to listen with them."""
    settings = Settings()
    exposure.require_safe(settings)
    return settings


def _unwind_at_sigterm() -> None:
    """Make SIGTERM unwind the stack, as Ctrl-C does, so that started processes are stopped."""
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: object) -> None:
    """Raise SystemExit, and set the flag: Python drops exceptions raised inside a finalizer."""
    _Termination.is_requested = True
    sys.exit(0)


def _wait_for_end(machine: Machine) -> None:
    """Return at Ctrl-C, after SIGTERM, or when the supervisor has ended."""
    with suppress(KeyboardInterrupt):
        while machine.supervisord.poll() is None and not _Termination.is_requested:
            pause(_POLL_SECONDS)


def _become(command: list[str]) -> None:
    os.execvp(command[0], command)  # noqa: S606  # signals then reach the program itself
