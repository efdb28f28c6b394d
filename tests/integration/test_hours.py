"""Syncs keep trading hours, and compare them with the bars that came."""

from dataclasses import replace

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import DAY, HOUR, MINUTE
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar, History
from pocketquant.history.hours import HoursKeeping
from pocketquant.servers.connections import Mongo
from pocketquant.storage.calendars import CalendarStore

HOURLY = Series.parse("NASDAQ:AAPL|1h")
OPEN = 1_767_571_200 + 9 * HOUR + 30 * MINUTE  # Monday, 2026-01-05
TEXTS = CalendarTexts("Etc/UTC", "0930-1600")
NOW = OPEN + DAY


@pytest.fixture
def hours(mongo: Mongo) -> HoursKeeping:
    """No hours were seen."""
    return HoursKeeping(CalendarStore(mongo))


def history(*opens: int, texts: CalendarTexts | None = TEXTS) -> History:
    """A fetch of closed bars that opened then."""
    columns = np.array([[time, 2.0, 3.0, 1.0, 2.5, 7.0] for time in opens]).T
    bars = Bars(columns) if opens else Bars.empty()
    return History(bars, listing=Listing(HOURLY.symbol, hours=texts))


def test_hours_are_kept_with_the_first_sync(hours: HoursKeeping) -> None:
    """A sync whose bars were all predicted finds nothing wrong."""
    assert None is hours.note(HOURLY, history(OPEN, OPEN + HOUR), NOW)
    kept = hours.calendars.get(HOURLY.symbol)
    assert kept is not None
    assert (TEXTS, NOW) == (kept.texts, kept.seen_from)


def test_a_bar_that_was_not_predicted_is_a_doubt(hours: HoursKeeping) -> None:
    """It stays until a sync that covers its time brings predicted bars only."""
    found = hours.note(HOURLY, history(OPEN, OPEN + 2 * HOUR - MINUTE), NOW)
    assert "doubtful: a bar opened at 2026-01-05 11:29 UTC" in (found or "")
    assert found == hours.note(HOURLY, history(OPEN + 3 * HOUR), NOW)
    assert None is hours.note(HOURLY, history(OPEN, OPEN + HOUR), NOW)
    assert None is hours.note(HOURLY, history(OPEN + 3 * HOUR), NOW)


def test_the_forming_bar_is_compared_too(hours: HoursKeeping) -> None:
    """It may be the first of changed hours."""
    forming = FormingBar(OPEN + 17 * MINUTE, OPEN + HOUR, 1.0, 1.0, 1.0, 1.0, 1.0, NOW)
    answer = hours.note(HOURLY, replace(history(OPEN), forming=forming), NOW)
    assert "2026-01-05 09:47" in (answer or "")


def test_hours_that_cannot_be_read_are_kept_with_the_reason(hours: HoursKeeping) -> None:
    """The sync goes on, and so do those after it."""
    unreadable = CalendarTexts("Etc/UTC", "when it rains")
    for _ in range(2):
        found = hours.note(HOURLY, history(OPEN, texts=unreadable), NOW)
        assert "no calendar: " in (found or "")
        assert "when it rains" in (found or "")


def test_a_fetch_without_bars_keeps_the_hours(hours: HoursKeeping) -> None:
    """A symbol that never traded has hours too; without any text there is no calendar."""
    assert None is hours.note(HOURLY, history(), NOW)
    assert hours.calendars.get(HOURLY.symbol) is not None
    other = Series.parse("NASDAQ:MSFT|1h")
    assert None is hours.note(other, history(OPEN, texts=None), NOW)
    assert None is hours.calendars.get(other.symbol)
