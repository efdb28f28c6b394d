"""Epoch seconds and milliseconds ↔ dates: aware, in UTC, before 1970 too."""

from datetime import UTC, datetime, timedelta
from typing import overload

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


@overload
def to_date(seconds: float) -> datetime: ...
@overload
def to_date(seconds: None) -> None: ...
@overload
def to_date(seconds: float | None) -> datetime | None: ...
def to_date(seconds: float | None) -> datetime | None:
    """The date of an epoch second; None stays None."""
    return None if seconds is None else EPOCH + seconds * SECOND


@overload
def to_seconds(date: datetime) -> int: ...
@overload
def to_seconds(date: None) -> None: ...
@overload
def to_seconds(date: datetime | None) -> int | None: ...
def to_seconds(date: datetime | None) -> int | None:
    """The epoch second of an aware date, rounded down; None stays None."""
    return None if date is None else (date - EPOCH) // SECOND


def time_or(time: int | None, other: int) -> int:
    """Return a time, or another one if it is None."""
    return other if time is None else time


def moment_of(milliseconds: int) -> datetime:
    """Return the date of an epoch millisecond."""
    return EPOCH + milliseconds * MILLISECOND
