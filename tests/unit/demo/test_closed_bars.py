"""Which bars have closed, by the sessions of a market."""

from datetime import date

import pytest

from pocketquant.demo.closed_bars import (
    MarketSession,
    Span,
    closed_bars,
    next_change,
    sessions_of,
)
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval

FRIDAY, MONDAY, TUESDAY = date(2026, 2, 27), date(2026, 3, 2), date(2026, 3, 3)
FIRST, SECOND, THIRD = 0, 3 * DAY, 4 * DAY  # their midnights
MORNING, CLOSE = 9 * HOUR, 12 * HOUR + 30 * MINUTE
SESSIONS = [
    MarketSession(FIRST + MORNING, FIRST + CLOSE, FRIDAY),
    MarketSession(SECOND + MORNING, SECOND + CLOSE, MONDAY),
    MarketSession(SECOND + 14 * HOUR, SECOND + 15 * HOUR, MONDAY),
    MarketSession(THIRD + MORNING, THIRD + CLOSE, TUESDAY),
]


@pytest.mark.parametrize(
    ("interval", "first", "since", "until", "expected"),
    [
        ("1h", 0, 0, FIRST + 10 * HOUR - 1, None),
        ("1h", 0, 0, FIRST + 10 * HOUR, (FIRST + MORNING, FIRST + 10 * HOUR)),
        ("1h", 0, 0, FIRST + DAY, (FIRST + MORNING, FIRST + CLOSE)),
        ("1h", 0, FIRST + MORNING, FIRST + DAY, (FIRST + 10 * HOUR, FIRST + CLOSE)),
        ("1h", FIRST + 11 * HOUR, 0, FIRST + DAY, (FIRST + 11 * HOUR, FIRST + CLOSE)),
        ("4h", 0, DAY, SECOND + DAY, (SECOND + MORNING, SECOND + 15 * HOUR)),
        ("1d", 0, 0, FIRST + CLOSE + 15 * MINUTE - 1, None),
        ("1d", 0, FIRST + 10 * HOUR, FIRST + DAY, (FIRST + MORNING, FIRST + CLOSE)),
        ("1d", 0, FIRST + CLOSE, FIRST + DAY, None),
        ("1d", 0, DAY, SECOND + 14 * HOUR, None),
        ("1d", 0, DAY, SECOND + DAY, (SECOND + MORNING, SECOND + 15 * HOUR)),
        ("1w", 0, 0, SECOND, (FIRST + MORNING, FIRST + CLOSE)),
        ("1M", 0, 0, FIRST + DAY, (FIRST + MORNING, FIRST + CLOSE)),
        ("1w", 0, DAY, THIRD + DAY, (SECOND + MORNING, THIRD + CLOSE)),
    ],
)
def test_closed_bars(
    interval: str, first: int, since: int, until: int, expected: tuple[int, int] | None
) -> None:
    """They count from each session's open; days and longer ones need no sight of their start."""
    found = closed_bars(SESSIONS, Interval.parse(interval), first, since, until)
    assert found == (Span(*expected) if expected else None)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (FIRST, (False, FIRST + MORNING)),
        (FIRST + MORNING, (True, FIRST + CLOSE)),
        (FIRST + CLOSE, (False, SECOND + MORNING)),
        (SECOND + 13 * HOUR, (False, SECOND + 14 * HOUR)),
        (THIRD + CLOSE, (False, None)),
    ],
)
def test_whether_a_market_is_open(now: int, expected: tuple[bool, int | None]) -> None:
    """It changes with the next open or close; a lunch break counts as closed."""
    assert expected == next_change(SESSIONS, now)


def test_sessions_are_read_from_an_answer() -> None:
    """Their times become epoch seconds."""
    answer = {
        "sessions": [
            {
                "open": "1970-01-01T09:00:00Z",
                "close": "1970-01-01T12:30:00Z",
                "trading_day": "2026-02-27",
            }
        ]
    }
    assert SESSIONS[:1] == sessions_of(answer)  # type: ignore[arg-type]  # a part of an answer
