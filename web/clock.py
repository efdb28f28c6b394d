"""The clock of the HTTP side."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # the edge that hands the clock on
