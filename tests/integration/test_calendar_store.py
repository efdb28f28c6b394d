"""Calendars as they are kept."""

import pytest

from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import Mongo
from pocketquant.storage.calendars import CalendarStore, KeptCalendar

AAPL = Symbol("NASDAQ", "AAPL")
TEXTS = CalendarTexts("America/New_York", "0930-1600", "20261126", "0930-1300:20261127")
LATER = CalendarTexts("America/New_York", "0930-1630", "20261126", "0930-1300:20261127")


@pytest.fixture
def calendars(mongo: Mongo) -> CalendarStore:
    """None is kept."""
    return CalendarStore(mongo)


def test_a_symbol_that_was_never_synced_has_none(calendars: CalendarStore) -> None:
    """No hours were seen."""
    assert None is calendars.get(AAPL)


def test_equal_texts_make_no_new_version(calendars: CalendarStore) -> None:
    """They count from when they were first seen."""
    first = calendars.keep(AAPL, TEXTS, None, 1000)
    assert KeptCalendar(AAPL, TEXTS, 1000, None, {}, 1) == first
    assert first == calendars.keep(AAPL, TEXTS, None, 2000) == calendars.get(AAPL)


def test_new_texts_are_a_new_version(calendars: CalendarStore) -> None:
    """Doubts about the version before end with it."""
    calendars.keep(AAPL, TEXTS, None, 1000)
    calendars.doubt(AAPL, Interval.H1, 900)
    assert KeptCalendar(AAPL, LATER, 2000, None, {}, 2) == calendars.keep(AAPL, LATER, None, 2000)
    assert 0 == calendars.count_wrong()


def test_versions_are_bounded(calendars: CalendarStore) -> None:
    """The oldest are dropped."""
    for number in range(60):
        texts = CalendarTexts("Etc/UTC", f"0000-01{number:02}")
        kept = calendars.keep(AAPL, texts, None, number)
    assert (50, "0000-0159") == (kept.version_count, kept.texts.session)


def test_a_text_may_hold_signs_of_the_database(calendars: CalendarStore) -> None:
    """Texts are values, whatever is in them."""
    strange = CalendarTexts("$timezone", "$$ROOT", "$versions", "{}")
    kept = calendars.keep(AAPL, strange, "unknown zone $timezone", 1000)
    assert (strange, "unknown zone $timezone", 1) == (kept.texts, kept.problem, kept.version_count)
    assert kept == calendars.keep(AAPL, strange, "unknown zone $timezone", 2000)


def test_a_doubt_is_of_one_interval(calendars: CalendarStore) -> None:
    """It is taken back alone."""
    calendars.keep(AAPL, TEXTS, None, 1000)
    calendars.doubt(AAPL, Interval.H1, 900)
    calendars.doubt(AAPL, Interval.MONTH, 800)
    calendars.trust(AAPL, Interval.H1)
    kept = calendars.get(AAPL)
    assert kept is not None
    assert {Interval.MONTH: 800} == kept.doubts
    assert "doubtful: a bar opened at 1970-01-01 00:13 UTC" in (kept.trouble(Interval.MONTH) or "")
    assert None is kept.trouble(Interval.H1)
    assert [kept] == calendars.wrong(10)
    calendars.trust(AAPL, Interval.MONTH)
    assert [] == calendars.wrong(10)


def test_texts_without_a_calendar_are_kept_with_the_reason(calendars: CalendarStore) -> None:
    """A later version of the software may read the same texts."""
    kept = calendars.keep(AAPL, TEXTS, "session: it rained", 1000)
    assert (None, 1) == (kept.calendar, calendars.count_wrong())
    assert "no calendar: session: it rained" == kept.trouble(Interval.D1)
    readable = calendars.keep(AAPL, TEXTS, None, 2000)
    assert (1, 1000, 0) == (readable.version_count, readable.seen_from, calendars.count_wrong())
    assert readable.calendar is not None


def test_a_forgotten_symbol_has_none(calendars: CalendarStore) -> None:
    """All versions go."""
    calendars.keep(AAPL, TEXTS, None, 1000)
    calendars.forget(AAPL)
    assert None is calendars.get(AAPL)
