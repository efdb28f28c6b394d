"""`python -m tests.benchmarks [--smallest] [NAME…]`: run benchmarks and print their tables.

`--names` prints the names of all.
"""

import sys
from importlib import import_module

from tests.benchmarks.report import show
from tests.benchmarks.size import choose_smallest

BENCHMARKS = (
    "aggregation",
    "calendar",
    "schedules",
    "live",
    "store",
    "revisions",
    "holes",
    "rescale",
    "rest",
    "export",
    "sync",
    "backfill",
    "connections",
    "fleet",
    "page",
)
_SMALLEST = "--smallest"
_NAMES = "--names"


def main() -> None:
    arguments = sys.argv[1:]
    if arguments == [_NAMES]:
        sys.stdout.write("\n".join(BENCHMARKS) + "\n")
        return
    if _SMALLEST in arguments:
        arguments.remove(_SMALLEST)
        choose_smallest()
    names = arguments or BENCHMARKS
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
    for name in names:
        benchmark = import_module(f"tests.benchmarks.{name}")
        show(name, benchmark.run())


if __name__ == "__main__":
    main()
