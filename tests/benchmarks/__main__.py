"""`python -m tests.benchmarks [NAME…]`: run those benchmarks, or all, and print their tables."""

import sys
from importlib import import_module

from tests.benchmarks.report import show

BENCHMARKS = ("aggregation", "live", "store", "rest", "export", "sync", "fleet")


def main() -> None:
    names = sys.argv[1:] or BENCHMARKS
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
    for name in names:
        benchmark = import_module(f"tests.benchmarks.{name}")
        show(name, benchmark.run())


if __name__ == "__main__":
    main()
