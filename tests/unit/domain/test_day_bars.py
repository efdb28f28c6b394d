"""OpenDay: the daily bar that quotes report."""

from dataclasses import replace
from datetime import datetime

import pytest

from pocketquant.domain.calendar import Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.day_bars import (
    AUCTION_SECONDS,
    OpenDay,
    closing_time,
    has_prices,
    reported_period,
)
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.quotes import Quote
from tests.unit.domain.calendar import texts

NEW_YORK, CHICAGO = parse_calendar(texts.AAPL), parse_calendar(texts.ES)
FX, CRYPTO = parse_calendar(texts.FX), parse_calendar(texts.CRYPTO)
HONG_KONG, MUMBAI = parse_calendar(texts.HKEX_2026), parse_calendar(texts.NSE)
TOKYO = parse_calendar(CalendarTexts("Asia/Tokyo", "0900-1130,1230-1530"))


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


OPEN, CLOSE = seconds("2026-11-25T14:30"), seconds("2026-11-25T21:00")
QUOTE = Quote(
    "NASDAQ:AAPL",
    time=OPEN + 60,
    last_price=10.5,
    day_volume=700.0,
    open_price=10.0,
    high_price=11.0,
    low_price=9.0,
    current_session="market",
    open_time=float(OPEN - OPEN % DAY),
)


def open_day(quote: Quote = QUOTE, is_whole: bool = True) -> OpenDay:
    return OpenDay((OPEN, CLOSE), quote, is_whole, NEW_YORK)


def bar(**changed: object) -> LiveBar:
    """The bar of the quote."""
    whole = LiveBar(
        symbol="NASDAQ:AAPL",
        interval=Interval.D1,
        start=OPEN,
        end=CLOSE,
        open=10.0,
        high=11.0,
        low=9.0,
        close=10.5,
        volume=700.0,
        tick_count=1,
        is_partial=False,
        first_tick_at=OPEN + 60,
        last_tick_at=OPEN + 60,
    )
    return whole._replace(**changed)


@pytest.mark.parametrize(
    ("calendar", "open_time", "expected"),
    [
        (NEW_YORK, "2026-11-25T00:00", ("2026-11-25T14:30", "2026-11-25T21:00")),
        (NEW_YORK, "2026-11-27T00:00", ("2026-11-27T14:30", "2026-11-27T18:00")),  # closes early
        (NEW_YORK, "2026-11-26T00:00", None),  # Thanksgiving
        (NEW_YORK, "2026-11-25T14:30", ("2026-11-25T14:30", "2026-11-25T21:00")),
        (NEW_YORK, "2026-11-25T14:29:59", None),
        (NEW_YORK, "2026-03-06T00:00", ("2026-03-06T14:30", "2026-03-06T21:00")),
        (NEW_YORK, "2026-03-09T00:00", ("2026-03-09T13:30", "2026-03-09T20:00")),  # summer time
        (FX, "2026-11-23T00:00", ("2026-11-22T22:00", "2026-11-23T22:00")),  # from Sunday evening
        (FX, "2026-03-09T00:00", ("2026-03-08T21:00", "2026-03-09T21:00")),
        (FX, "2026-11-22T22:00", ("2026-11-22T22:00", "2026-11-23T22:00")),
        (CHICAGO, "2026-06-10T00:00", ("2026-06-09T22:00", "2026-06-10T21:00")),
        (HONG_KONG, "2026-06-08T00:00", ("2026-06-08T01:30", "2026-06-08T08:00")),  # with lunch
        (TOKYO, "2026-11-25T00:00", ("2026-11-25T00:00", "2026-11-25T06:30")),
        (MUMBAI, "2024-11-01T00:00", ("2024-11-01T12:30", "2024-11-01T13:30")),  # Muhurat
        (MUMBAI, "2025-12-18T00:00", ("2025-12-18T03:45", "2025-12-18T10:00")),
        (CRYPTO, "2026-11-25T00:00", ("2026-11-25T00:00", "2026-11-26T00:00")),
    ],
)
def test_a_quote_names_its_trading_day(
    calendar: Calendar, open_time: str, expected: tuple[str, str] | None
) -> None:
    """`open_time` is midnight of that day, or the open of its session."""
    quote = replace(QUOTE, open_time=float(seconds(open_time)), trading_day="20200101", time=2**31)
    period = expected and (seconds(expected[0]), seconds(expected[1]))
    assert period == reported_period(quote, calendar)


@pytest.mark.parametrize(("time", "is_day"), [(OPEN - 1, False), (None, False), (OPEN, True)])
def test_a_day_begins_with_its_first_trade(time: int | None, is_day: bool) -> None:
    """A provider may name it before, with the values of the day before."""
    assert is_day == (reported_period(replace(QUOTE, time=time), NEW_YORK) is not None)


@pytest.mark.parametrize("open_time", [-1.0, 1e100])
def test_a_time_that_is_none_names_no_day(open_time: float) -> None:
    """The other fields are not asked then."""
    assert None is reported_period(replace(QUOTE, open_time=open_time), NEW_YORK)


@pytest.mark.parametrize(
    ("trading_day", "time", "is_day"),
    [
        ("20261125", OPEN, True),
        ("20261125", OPEN - 1, False),
        ("20261125", None, False),
        ("20261126", OPEN, False),
        ("today", OPEN, False),
        (None, OPEN, True),
        (None, CLOSE + 5, True),  # a print of the auction
        (None, OPEN - 1, False),
        (None, None, False),
    ],
)
def test_a_quote_without_an_open_time(
    trading_day: str | None, time: int | None, is_day: bool
) -> None:
    """Its day is that of the market's status, or that of its last trade."""
    quote = replace(QUOTE, open_time=None, trading_day=trading_day, time=time)
    assert is_day == (reported_period(quote, NEW_YORK) == (OPEN, CLOSE))


@pytest.mark.parametrize(
    ("calendar", "period", "expected"),
    [
        (NEW_YORK, (OPEN, CLOSE), CLOSE + AUCTION_SECONDS),
        (None, (OPEN, CLOSE), CLOSE + AUCTION_SECONDS),
        (CRYPTO, (0, DAY), DAY),
        (FX, (0, seconds("2026-11-23T22:00")), seconds("2026-11-23T22:00")),
        (FX, (0, seconds("2026-11-27T22:00")), seconds("2026-11-27T22:15")),
    ],
)
def test_a_day_closes_with_its_auction(
    calendar: Calendar | None, period: tuple[int, int], expected: int
) -> None:
    """Where the next session follows at once, there is none."""
    assert expected == closing_time(period, calendar)


def test_the_bar_is_the_day_of_the_quote() -> None:
    """Later quotes change it, also a print of the auction after the close."""
    day = open_day()
    assert bar() == day.bar()
    auction = replace(QUOTE, time=CLOSE + 5, last_price=11.5, high_price=11.5, day_volume=900.0)
    day.follow(auction, is_whole=True)
    expected = bar(high=11.5, close=11.5, volume=900.0)
    assert expected._replace(first_tick_at=CLOSE + 5, last_tick_at=CLOSE + 5) == day.bar()


def test_what_comes_outside_the_session_changes_nothing() -> None:
    """Time and volume move on after the close."""
    day = open_day()
    day.follow(
        replace(QUOTE, current_session="post_market", day_volume=950.0, time=CLOSE + 60), True
    )
    assert bar() == day.bar()


def test_a_price_that_changes_outside_the_session_makes_it_partial() -> None:
    """It may be an auction, whose volume looks like that of other trades."""
    day = open_day()
    day.follow(replace(QUOTE, current_session="post_market", last_price=10.75), is_whole=True)
    assert bar(is_partial=True) == day.bar()


@pytest.mark.parametrize(
    ("changes", "is_whole", "is_partial"),
    [
        ({}, True, False),
        ({}, False, True),
        ({"day_volume": 800.0}, True, False),
        ({"current_session": None}, True, False),
        ({"current_session": "out_of_session"}, True, False),
        ({"current_session": "out_of_session"}, False, True),
        ({"current_session": "out_of_session", "day_volume": 800.0}, True, True),
    ],
)
def test_a_whole_quote_heals_a_gap(
    changes: dict[str, object], is_whole: bool, is_partial: bool
) -> None:
    """In the session it reports the day; outside it confirms the values that are known."""
    day = open_day()
    day.is_sure = False
    day.follow(replace(QUOTE, **changes), is_whole)
    assert is_partial == day.bar().is_partial


@pytest.mark.parametrize(
    "changes",
    [
        {"day_volume": None},
        {"low_price": 10.2},
        {"high_price": 10.2},
        {"last_price": 11.5},
    ],
)
def test_a_day_that_can_t_be_right_is_partial(changes: dict[str, object]) -> None:
    """A value is unknown, or contradicts another."""
    assert open_day(replace(QUOTE, **changes)).bar().is_partial


def test_a_quote_without_a_price_leaves_the_bar_partial() -> None:
    """The values that were known stay."""
    day = open_day()
    removed = replace(QUOTE, open_price=None)
    assert [True, False] == [has_prices(QUOTE), has_prices(removed)]
    day.follow(removed, is_whole=True)
    assert bar(is_partial=True) == day.bar()


def test_quotes_of_the_day_are_known_by_its_names() -> None:
    """Without any, by the time of the last trade."""
    day = open_day()
    assert day.is_of(replace(QUOTE, last_price=1.0, current_session="out_of_session"))
    assert not day.is_of(replace(QUOTE, open_time=float(OPEN)))
    unnamed = replace(QUOTE, open_time=None)
    times = [None, OPEN - 1, OPEN, CLOSE + AUCTION_SECONDS - 1, CLOSE + AUCTION_SECONDS]
    expected = [False, False, True, True, False]
    assert expected == [day.is_of(replace(unnamed, time=time)) for time in times]


def test_a_stored_day_goes_on() -> None:
    """It is partial until a whole quote of it comes."""
    again = OpenDay.of(open_day().bar(), NEW_YORK)
    assert bar(is_partial=True) == again.bar()
    assert (CLOSE + AUCTION_SECONDS, None) == (again.end, again.due)
    again.follow(QUOTE, is_whole=True)
    assert bar() == again.bar()


def test_a_day_belongs_to_its_calendar() -> None:
    """One that closes at another time has another day."""
    longer = parse_calendar(CalendarTexts("America/New_York", "0930-1630"))
    assert [True, False, False] == [open_day().fits(each) for each in (NEW_YORK, longer, None)]


def test_a_day_without_a_time() -> None:
    """Its trade counts as made at its open."""
    made = open_day(replace(QUOTE, time=None)).bar()
    assert (OPEN, OPEN) == (made.first_tick_at, made.last_tick_at)
