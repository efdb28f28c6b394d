"""A worker's application with an additional task that does nothing."""

from tests.benchmarks.fleet_cost import NOTHING
from workers.app import app


@app.task(name=NOTHING)
def do_nothing(_unit_id: str) -> None:
    """Do nothing, to measure the cost of any task."""
