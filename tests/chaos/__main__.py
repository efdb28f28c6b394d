"""`python -m tests.chaos --seed 7 --minutes 6`: break the platform at random, then check it.

Three mongods, Redis, a simulated TradingView and two of each process run on loopback. Users ask for
syncs, cancel and retry while the seed has these servers and processes killed, frozen and wiped.
Then everything is repaired and all invariants are checked. The exit code is 1 if one is violated.
"""

import signal
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.run import Result, run

_MOST_MINUTES = 60.0
_AN_ID = 24  # characters of a job's id; a unit's has more
_MOST_LINES = 40  # of the log, shown for each violation


@click.command()
@click.option("--seed", type=int, default=7, show_default=True)
@click.option(
    "--minutes", type=click.FloatRange(0.2, _MOST_MINUTES), default=6.0, show_default=True
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where data and logs are kept; by default a new one in the folder for such things.",
)
def main(seed: int, minutes: float, folder: Path | None) -> None:
    """Run the platform through the troubles of this seed, and check the result."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell has us ignore them
        signal.signal(number, signal.default_int_handler)
    folder = folder or Path(tempfile.mkdtemp(prefix=f"pocketquant-chaos-{seed}-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        result = run(seed, minutes, folder, click.echo)
    except KeyboardInterrupt:
        click.echo("interrupted; every process has ended")
        sys.exit(130)
    except BrokenPipeError as error:  # at which click would end without a word
        raise RuntimeError("a process of the run hung up on its judge") from error
    show(result)
    sys.exit(bool(result.violations))


def show(result: Result) -> None:
    """Print the result."""
    click.echo(result.summary)
    if not result.violations:
        click.echo(f"seed {result.seed}: everything holds; {result.events.path} has the events")
        return
    for violation in result.violations:
        click.echo(f"VIOLATED (seed {result.seed}): {violation}")
        named = {word.strip(",:()") for word in violation.split() if len(word) >= _AN_ID}
        for line in result.events.about(named)[:_MOST_LINES]:
            click.echo(f"    {line}")
    click.echo(f"{len(result.violations)} violations; the whole log is {result.events.path}")


if __name__ == "__main__":
    main()
