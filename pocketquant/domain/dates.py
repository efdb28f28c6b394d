"""Epoch seconds ↔ the dates of MongoDB documents. Aware, in UTC, before 1970 too."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def to_date(seconds: int | None) -> datetime | None:
    """The date of an epoch second; None stays None."""
    return None if seconds is None else _EPOCH + seconds * _SECOND


def to_seconds(date: datetime | None) -> int | None:
    """The epoch second of an aware date; None stays None."""
    return None if date is None else (date - _EPOCH) // _SECOND
