"""A worker's application with one task more, which does nothing."""

from tests.benchmarks.fleet_cost import NOTHING
from workers.app import app


@app.task(name=NOTHING)
def do_nothing(_unit_id: str) -> None:
    """What any task costs, whatever it does."""
