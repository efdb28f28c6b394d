"""Calendars beside bars that the provider sent with them."""

import json
from datetime import UTC, date, datetime

import pytest

from pocketquant.domain.calendar import BarLength, CalendarTexts, parse_calendar
from pocketquant.domain.intervals import Interval
from tests.unit.domain.calendar import texts

CAPTURE = texts.NSE_CAPTURE
INDIA = parse_calendar(texts.NSE)


def test_every_bar_of_the_capture_is_predicted() -> None:
    """532 bars of 188 minutes, none missing and none more, Diwali's evenings included."""
    bars = CAPTURE["bars_188m"]
    predicted = INDIA.opens(BarLength.parse("188m"), bars[0], bars[-1] + 1)
    assert bars == predicted.tolist()
    assert 532 == len(bars)


def test_bars_that_were_to_come_are_predicted() -> None:
    """The provider's own next ten opens, which leave out Christmas."""
    coming = CAPTURE["next_188m"]
    predicted = INDIA.opens(BarLength.parse("188m"), CAPTURE["bars_188m"][-1] + 1, coming[-1] + 1)
    assert coming == predicted.tolist()


def test_every_day_of_the_capture_is_predicted() -> None:
    """300 days had an index each; those that are named, and those to come, have ours."""
    named = CAPTURE["daily_points"]
    coming = CAPTURE["next_daily"]
    (anchor, anchor_open), *_ = named
    first = INDIA.opens(Interval.D1, 0, anchor_open)[-anchor]
    opens = INDIA.opens(Interval.D1, int(first), coming["opens"][-1] + 1).tolist()
    assert named == [[index, opens[index]] for index, _ in named]
    assert coming["opens"] == opens[coming["index"] :]
    assert datetime(2025, 12, 18, 3, 45, tzinfo=UTC).timestamp() == opens[299]


def test_trading_days_to_come_are_those_of_the_marks() -> None:
    """A mark of a daily bar is the midnight of its trading day."""
    marks = [datetime.fromtimestamp(wall, UTC).date() for _, wall, _ in CAPTURE["daily_marks"]]
    after_the_last = INDIA.trading_days(date(2025, 12, 19), date(2026, 3, 24)).tolist()
    assert marks == after_the_last


def test_every_day_of_an_index_is_predicted() -> None:
    """368 daily bars of the S&P 500 on both sides of clock changes and holidays."""
    resolved = _message("symbol_resolved_index_spx.txt")[2]
    sent = _message("timescale_update_daily_index_with_volume.txt")[1]
    bars = [int(bar["v"][0]) for series in sent.values() for bar in series["s"]]
    calendar = parse_calendar(
        CalendarTexts(resolved["timezone"], resolved["session"], resolved["session_holidays"])
    )
    assert bars == calendar.opens(Interval.D1, bars[0], bars[-1] + 1).tolist()
    assert 368 == len(bars)


@pytest.mark.parametrize(
    ("market", "day", "sessions"),
    [
        (texts.AAPL, "2026-11-25", ["25 14:30-21:00"]),
        (texts.AAPL, "2026-11-26", []),
        (texts.AAPL, "2026-11-27", ["27 14:30-18:00"]),
        (texts.AAPL, "2025-01-09", []),
        (texts.ES, "2026-01-19", []),
        (texts.ES, "2026-01-20", ["18 23:00-18:00", "19 23:00-22:00"]),
        (texts.ES, "2026-04-03", ["02 22:00-13:15"]),
        (texts.ES, "2026-07-06", ["02 22:00-17:00", "05 22:00-21:00"]),
        (texts.DXY, "2026-06-08", ["07 21:00-23:00"]),
        (texts.DXY, "2026-06-09", ["08 23:00-23:00"]),
        (texts.DXY, "2026-01-19", ["18 22:00-00:00"]),
        (texts.HKEX_2026, "2026-06-08", ["08 01:30-04:00", "08 05:00-08:00"]),
        (texts.HKEX_2026, "2026-10-19", []),
        (texts.NSE_2026, "2026-07-31", ["31 03:45-10:00"]),
        (texts.NSE_2026, "2026-08-03", ["03 03:45-09:45"]),
        (texts.BRENT, "2026-10-23", ["23 00:00-22:00"]),
        (texts.BRENT, "2026-10-26", ["25 22:00-22:00"]),
        (texts.BRENT, "2026-10-27", ["27 00:00-22:00"]),
        (texts.BRENT, "2026-11-02", ["01 23:00-23:00"]),
        (texts.BRENT, "2027-03-16", ["16 00:00-22:00"]),
        (texts.FX, "2026-06-08", ["07 21:00-21:00"]),
    ],
)
def test_days_of_real_texts(market: CalendarTexts, day: str, sessions: list[str]) -> None:
    """Texts as the provider sent them, and the hours in UTC that the exchange kept."""
    found = parse_calendar(market).sessions_of(date.fromisoformat(day))
    assert sessions == [f"{_utc(each.open):%d %H:%M}-{_utc(each.close):%H:%M}" for each in found]


def _utc(time: int) -> datetime:
    return datetime.fromtimestamp(time, UTC)


def _message(name: str) -> list[dict[str, list[dict[str, list[float]]]]]:
    text = (texts.WIRE / name).read_text()
    payload = next(part for part in text.split("~m~") if part.startswith("{"))
    parameters: list[dict[str, list[dict[str, list[float]]]]] = json.loads(payload)["p"]
    return parameters
