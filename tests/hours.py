"""`python -m tests.hours [--few] [--only MOMENT]… [PYTEST ARGUMENT…]`: the tests at odd hours.

Each run has the wall clock of one of the moments below, in every process that it starts.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

LIBRARY = Path(__file__).parent.parent / "build" / "clock_shift.so"

MOMENTS = {
    "2026-11-28T03:00": "a Saturday",
    "2026-11-30T00:10": "a Monday, a while after midnight",
    "2026-11-26T20:00": "Thanksgiving, when markets in the US are closed",
    "2026-11-27T01:40": "the night after it",
    "2026-03-08T06:30": "half an hour before clocks in the US go forward",
    "2026-11-01T06:30": "half an hour after clocks in the US went back",
    "2026-12-31T23:58": "the end of a year, while tests run",
    "2028-02-29T12:00": "a leap day",
}

# Those that depend most on the hour: for each change one half of them at each moment, in turn.
MOMENTS_AT_A_TIME = 4
FEW = (
    "tests/integration/test_scheduler.py",
    "tests/integration/test_sync.py",
    "tests/integration/test_tvdatafeed.py",
    "tests/integration/web/test_import_api.py",
    "tests/integration/web/test_schedules_api.py",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--few", action="store_true")
    parser.add_argument("--only", action="append", choices=MOMENTS)
    chosen, arguments = parser.parse_known_args()
    moments = chosen.only or list(MOMENTS)
    if chosen.few:
        with ThreadPoolExecutor(MOMENTS_AT_A_TIME) as pool:
            halves = (FEW[number % 2 :: 2] for number in range(len(moments)))
            runs = [
                pool.submit(_run_few_at, moment, [*arguments, *half])
                for moment, half in zip(moments, halves, strict=True)
            ]
            codes = {moment: run.result() for moment, run in zip(moments, runs, strict=True)}
    else:
        codes = {moment: _run_at(moment, arguments) for moment in moments}
    for moment, code in codes.items():
        print(f"{moment}  {'failed' if code else 'passed'}  {MOMENTS[moment]}")  # noqa: T201
    sys.exit(any(codes.values()))


def _run_at(moment: str, arguments: list[str]) -> int:
    """Run pytest, its clock at the moment as it begins; its exit code."""
    print(f"\n{moment}: {MOMENTS[moment]}", flush=True)  # noqa: T201
    return subprocess.run(_pytest(arguments), env=_shifted(moment), check=False).returncode


def _run_few_at(moment: str, arguments: list[str]) -> int:
    """Run some tests, and print their output in one piece; the exit code."""
    done = subprocess.run(
        _pytest(arguments),
        env=_shifted(moment),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(f"\n{moment}: {MOMENTS[moment]}\n{done.stdout}", flush=True)  # noqa: T201
    return done.returncode


def _pytest(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def _shifted(moment: str) -> dict[str, str]:
    """Return the environment of a process whose clock is at the moment now."""
    seconds = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() - time.time()
    return {**os.environ, "LD_PRELOAD": str(LIBRARY), "CLOCK_SHIFT": str(round(seconds))}


if __name__ == "__main__":
    main()
