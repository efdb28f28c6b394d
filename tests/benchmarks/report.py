"""The result of a benchmark, and its table."""

import math
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement of ours beside a peer's, or beside a limit, in the same unit."""

    name: str
    ours: float
    peer: float
    unit: str
    target: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.peer if self.peer else math.inf


def show(title: str, rows: Iterable[Row]) -> None:
    """Print the rows, with the time and the machine of the measurement."""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    table = Table(title=title, caption=f"{now} · {machine}")
    table.add_column("what")
    for heading in ("ours", "peer or limit", "unit", "ours / peer", "target"):
        table.add_column(heading, justify="left" if heading == "unit" else "right")
    for row in rows:
        figures = (_figure(row.ours), _figure(row.peer), row.unit, f"{row.ratio:.2f}")
        table.add_row(row.name, *figures, row.target)
    Console(width=120).print(table)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
