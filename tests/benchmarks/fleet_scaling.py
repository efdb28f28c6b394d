"""Scaling: the same job at 8 to 64 slots, beside the ideal and a serial loop over tvdatafeed.

400 series of 500 bars each, the provider taking 0.5 s for each; from the call of the API to the
end of the job. The ideal is `latency × n / slots`. The load of the processors is shown too: they
are the other limit.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.fleet_machine import LATENCY_SECONDS, Machine
from tests.benchmarks.fleet_picture import draw
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

SYNCS = sized(400, 4)
SERIAL_SYNCS = sized(40, 1)
N_BARS = 500
WORKERS = sized(((8,), (16,), (16, 16), (16, 16, 16, 16)), ((2,), (2, 2)))
TARGET = "≤ 1.18 until busy"  # 85 % of ideal

_PICTURE = Path(__file__).parents[2] / "docs" / "scaling.png"
_SERIAL_FIRST = 8_000


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: how long it took, and which part of the processors' time was used."""

    slots: int
    seconds: float
    busy: float

    @property
    def ideal_seconds(self) -> float:
        return LATENCY_SECONDS * SYNCS / self.slots


def run(machine: Machine) -> list[Row]:
    """Seconds of the job at each number of slots, and of the serial loop."""
    measured = [_measure(machine, number, slots) for number, slots in enumerate(WORKERS)]
    serial = _serial_seconds(machine)
    rates = {each.slots: SYNCS / each.seconds for each in measured}
    busy = {each.slots: each.busy for each in measured}
    picture = sized(_PICTURE, machine.folder / _PICTURE.name)
    draw(picture, rates, busy, LATENCY_SECONDS, SYNCS / serial)
    job = f"{SYNCS} syncs"
    return [
        *(
            Row(
                f"{job}, {each.slots} slots (processors {each.busy:.0%} busy)",
                ours=each.seconds,
                peer=each.ideal_seconds,
                unit="s",
                target=TARGET,
            )
            for each in measured
        ),
        *(
            Row(f"{job}, {each.slots} slots / serial tvdatafeed", each.seconds, serial, "s")
            for each in measured
        ),
    ]


def _measure(machine: Machine, number: int, slots: tuple[int, ...]) -> Measured:
    with machine.workers(slots, machine.providers.slow):
        psutil.cpu_percent()  # from here on
        seconds = machine.bulk_seconds(first=1 + number * SYNCS, count=SYNCS, n_bars=N_BARS)
        return Measured(sum(slots), seconds, psutil.cpu_percent() / 100)


def _serial_seconds(machine: Machine) -> float:
    """Return the figures of the serial loop for all syncs, estimated from a sample."""
    script = [sys.executable, "-m", "tests.benchmarks.fleet_serial", machine.providers.slow]
    numbers = (str(_SERIAL_FIRST), str(SERIAL_SYNCS), str(N_BARS))
    done = subprocess.run([*script, *numbers], capture_output=True, text=True, check=True)
    return float(done.stdout) * SYNCS / SERIAL_SYNCS
