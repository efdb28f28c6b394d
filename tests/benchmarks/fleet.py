"""The fleet: how it scales, what a unit costs, jobs of ten thousand, and interactive waits.

Web, workers, MongoDB, both Redis servers and the simulators share the processors of one machine.
The pace is unlimited, so that it limits no figure.
"""

from tests.benchmarks import fleet_cost, fleet_jobs, fleet_scaling
from tests.benchmarks.fleet_machine import started
from tests.benchmarks.report import Row


def run() -> list[Row]:
    """Everything on one machine, one after the other; the picture goes to docs/."""
    with started() as machine:
        return [*fleet_scaling.run(machine), *fleet_cost.run(machine), *fleet_jobs.run(machine)]
