"""Weeks and months that trading days make."""

from datetime import datetime

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import Calendar, parse_calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.weeks import Days, closed_of, forming_of, made_of
from tests.unit.domain.calendar import texts

NEW_YORK, FX = parse_calendar(texts.AAPL), parse_calendar(texts.FX)
KO = "NYSE:KO"


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


def opens(calendar: Calendar, start: str, end: str) -> list[int]:
    """When the trading days open from one date to before the other."""
    found: list[int] = calendar.opens(
        Interval.D1, seconds(f"{start}T00:00"), seconds(f"{end}T00:00")
    ).tolist()
    return found


def days(times: list[int], partial: list[int] | None = None) -> Days:
    """Days with the prices 1, 2, 3 …, each with a volume of 10."""
    prices = np.arange(1.0, len(times) + 1)
    rows = [np.array(times, dtype=float), prices, prices + 0.5, prices - 0.5, prices + 0.25]
    return Days(Bars(np.array([*rows, np.full(len(times), 10.0)]).reshape(6, -1)), partial or [])


THANKSGIVING = opens(NEW_YORK, "2026-11-23", "2026-11-28")  # four days, the last one short
NOVEMBER = opens(NEW_YORK, "2026-11-01", "2026-12-01")


def test_days_make_a_week() -> None:
    """It opens with its first session, ends with its last one, and a holiday is not missing."""
    made = closed_of(days(THANKSGIVING), Interval.W1, NEW_YORK)
    expected = [[seconds("2026-11-23T14:30"), 1.0, 4.5, 0.5, 4.25, 40.0]]
    assert expected == made.bars.columns.T.tolist()
    assert ([seconds("2026-11-27T18:00")], [False]) == (
        made.ends.tolist(),
        made.is_partial.tolist(),
    )


def test_a_week_of_currencies() -> None:
    """Its Monday opens on Sunday evening."""
    made = closed_of(days(opens(FX, "2026-11-22", "2026-11-27")), Interval.W1, FX)
    assert [seconds("2026-11-22T22:00")] == made.bars.time.tolist()
    assert ([seconds("2026-11-27T22:00")], [False]) == (
        made.ends.tolist(),
        made.is_partial.tolist(),
    )


@pytest.mark.parametrize("lacking", range(4))
def test_a_week_that_lacks_a_day_is_partial(lacking: int) -> None:
    """Without its last day it is not known to be over."""
    times = [each for number, each in enumerate(THANKSGIVING) if number != lacking]
    made = made_of(days(times), Interval.W1, NEW_YORK, THANKSGIVING[-1] + 1)
    assert [True] == made.is_partial.tolist()
    closed = closed_of(days(times), Interval.W1, NEW_YORK)
    assert ([] if lacking == 3 else [True]) == closed.is_partial.tolist()


def test_a_week_with_a_partial_day_is_partial() -> None:
    """The weeks beside it are not."""
    made = closed_of(days(NOVEMBER, [THANKSGIVING[1]]), Interval.W1, NEW_YORK)
    assert [False, False, False, True] == made.is_partial.tolist()


def test_months() -> None:
    """The last day of November ends it; days of December are not missing yet."""
    assert [] == closed_of(days(NOVEMBER[:-1]), Interval.MONTH, NEW_YORK).bars.time.tolist()
    made = closed_of(days(NOVEMBER), Interval.MONTH, NEW_YORK)
    assert ([NOVEMBER[0]], [False]) == (made.bars.time.tolist(), made.is_partial.tolist())
    assert [20 * 10.0] == made.bars.columns[5].tolist()


def test_days_that_the_calendar_does_not_have() -> None:
    """They are parts of no week; without days there is none."""
    midnight = seconds("2026-11-25T00:00")
    assert 0 == len(closed_of(days([midnight]), Interval.W1, NEW_YORK).bars)
    assert 0 == len(closed_of(days([]), Interval.W1, NEW_YORK).bars)


def live_day(start: int, volume: float | None = 7.0, is_partial: bool = False) -> LiveBar:
    return LiveBar(
        KO, Interval.D1, start, 0, 3.0, 9.0, 2.0, 8.0, volume, 1, is_partial, start, start
    )


WEEK = THANKSGIVING[0], seconds("2026-11-27T18:00")
WEDNESDAY = seconds("2026-11-25T16:00")


def forming(known: Days, now: int = WEDNESDAY) -> LiveBar | None:
    return forming_of(KO, WEEK, known, Interval.W1, NEW_YORK, now)


def test_the_week_so_far() -> None:
    """Stored days and the open one make it."""
    known = days(THANKSGIVING[:2]).with_live(live_day(THANKSGIVING[2]))
    expected = LiveBar(
        symbol=KO,
        interval=Interval.W1,
        start=WEEK[0],
        end=WEEK[1],
        open=1.0,
        high=9.0,
        low=0.5,
        close=8.0,
        volume=27.0,
        tick_count=1,
        is_partial=False,
        first_tick_at=THANKSGIVING[2],
        last_tick_at=THANKSGIVING[2],
    )
    assert expected == forming(known)


@pytest.mark.parametrize(
    ("known", "now", "is_partial"),
    [
        (days(THANKSGIVING[:2]), WEDNESDAY, False),  # no trade yet on Wednesday
        (days(THANKSGIVING[:2]), seconds("2026-11-25T21:15:01"), True),
        (days(THANKSGIVING[1:2]), WEDNESDAY, True),
        (days([]).with_live(live_day(THANKSGIVING[0])), WEEK[0] + 60, False),
        (days([]).with_live(live_day(THANKSGIVING[0], is_partial=True)), WEEK[0] + 60, True),
        (days(THANKSGIVING[:2], [THANKSGIVING[0]]), WEDNESDAY, True),
    ],
)
def test_a_week_so_far_that_lacks_something(known: Days, now: int, is_partial: bool) -> None:
    """A day is missing once it should have closed."""
    week = forming(known, now)
    assert week is not None
    assert is_partial == week.is_partial


def test_a_week_without_days() -> None:
    """There is none, and the volume of days without one is unknown."""
    assert forming(days([])) is None
    week = forming(days([]).with_live(live_day(THANKSGIVING[0], volume=None)))
    assert week is not None
    assert None is week.volume


def test_the_open_day_takes_the_place_of_a_stored_one() -> None:
    """A day is there once."""
    known = days(THANKSGIVING[:3]).with_live(live_day(THANKSGIVING[2]))
    assert (3, 8.0) == (len(known.bars), known.bars.columns[4, -1])
