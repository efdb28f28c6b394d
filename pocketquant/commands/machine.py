"""`status`, `logs` and `down`: look after the `pocketquant up` that runs on a data folder."""

import os
import shutil
from dataclasses import asdict
from pathlib import Path

import click

from pocketquant.commands.output import print_note, print_rows
from pocketquant.domain.errors import InvalidSettings
from pocketquant.machine import supervised
from pocketquant.machine.processes import stop_seconds
from pocketquant.settings import Settings

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="The folder that `up` runs on, by default DATA_DIR.",
)
_STATE_COLUMNS = ("name", "state", "description")
_LINES = 100


@click.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(data_dir: Path | None, as_json: bool) -> None:
    """Show the processes of the `up` that runs on this machine.

    The exit code is 1 if one of them does not run, or if there is no `up`.
    """
    found = supervised.processes(_folder(data_dir))
    print_rows([asdict(process) for process in found], _STATE_COLUMNS, as_json)
    stopped = [process.name for process in found if not process.is_running]
    if stopped:
        print_note(f"not running: {', '.join(stopped)}; `pocketquant logs {stopped[0]}` says why")
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("names", nargs=-1, metavar="[PROCESS]…")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=_LINES, show_default=True, help="Of each file."
)
@data_dir_option
def logs(names: tuple[str, ...], follow: bool, lines: int, data_dir: Path | None) -> None:
    """Print the newest lines of the logs of `up`, of all processes or of those named.

    \b
    pocketquant logs worker        # of every worker
    pocketquant logs -f web-0      # of one process, with what it will write
    """
    folder = _folder(data_dir) / "logs"
    files = sorted(folder.glob("*.log"))
    if not files:
        raise InvalidSettings(f"there are no logs in {folder}: no `pocketquant up` ran on it")
    chosen = [file for name in names for file in _of(name, files)] if names else files
    tail = shutil.which("tail") or "tail"
    following = ("-F",) if follow else ()
    os.execv(tail, [tail, "-n", str(lines), *following, *map(str, chosen)])  # noqa: S606


@click.command()
@data_dir_option
def down(data_dir: Path | None) -> None:
    """End the `up` that runs on this machine, with all its processes. Its data stays."""
    folder = _folder(data_dir)
    supervised.shut_down(folder, stop_seconds(Settings()))
    click.echo("PocketQuant is down.")


def _folder(data_dir: Path | None) -> Path:
    return data_dir or Settings().data_dir


def _of(name: str, files: list[Path]) -> list[Path]:
    """Return the logs of a process, `web-0`, or of all processes of a program, `web`."""
    found = [file for file in files if name in (file.stem, file.stem.rpartition("-")[0])]
    if not found:
        names = ", ".join(file.stem for file in files)
        raise InvalidSettings(f"no process {name!r} has a log; there are {names}")
    return found
