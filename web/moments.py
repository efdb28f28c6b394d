"""Dates and moments in requests → epoch times. Strictly ISO 8601, never without an offset."""

import re
from datetime import UTC, datetime

from pocketquant.domain.dates import EPOCH, MILLISECOND, SECOND

_DATE = r"\d{4}-\d{2}-\d{2}"
_MOMENT = re.compile(
    rf"{_DATE}T\d{{2}}:\d{{2}}:\d{{2}}(\.\d{{1,9}})?(Z|[+-]\d{{2}}:\d{{2}})?", re.ASCII
)
_DAY = re.compile(_DATE, re.ASCII)


def epoch_seconds(text: object) -> int:
    """Return the first whole second at or after a date (00:00 UTC) or moment.

    Bars open at whole seconds, so rounding up keeps the meaning of `start <= open time < end`.
    The ValueError's message tells the caller what to write instead.
    """
    return -((EPOCH - _parse(text)) // SECOND)


def epoch_milliseconds(text: object) -> int:
    """Return the last whole millisecond at or before a date (00:00 UTC) or moment."""
    return (_parse(text) - EPOCH) // MILLISECOND


def _parse(text: object) -> datetime:
    if isinstance(text, str) and _DAY.fullmatch(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    found = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(
            "write a date (2024-01-31) or a moment (2024-01-31T14:30:00Z);"
            " in a URL the + of an offset is %2B"
        )
    if not found[2]:
        raise ValueError("a moment needs its offset: Z, or one like +02:00")
    return datetime.fromisoformat(found[0])
