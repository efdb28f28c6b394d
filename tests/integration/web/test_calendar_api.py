"""When a symbol trades, over REST."""

import pytest
from flask.testing import FlaskClient

from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Symbol
from pocketquant.wiring import Platform

AAPL = "/api/v1/market-data/calendar/NASDAQ/AAPL"
WEEK = "start=2026-11-23&end=2026-11-30"
SYMBOL = Symbol("NASDAQ", "AAPL")
TEXTS = CalendarTexts("America/New_York", "0930-1600", "20261126", "0930-1300:20261127")


def test_the_sessions_of_a_week(client: FlaskClient, platform: Platform) -> None:
    """Thanksgiving has none, and the day after ends early."""
    platform.calendars.keep(SYMBOL, TEXTS, None, now=1_700_000_000)
    answer = client.get(f"{AAPL}?{WEEK}").get_json()
    days = [session["trading_day"] for session in answer["sessions"]]
    assert ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27"] == days
    assert {
        "open": "2026-11-27T14:30:00Z",
        "close": "2026-11-27T18:00:00Z",
        "trading_day": "2026-11-27",
    } == answer["sessions"][-1]
    assert (["2026-11-26"], ["2026-11-27"]) == (answer["holidays"], answer["special_days"])
    assert ("AAPL", "NASDAQ", "America/New_York", "0930-1600", "tradingview") == tuple(
        answer[name] for name in ("symbol", "exchange", "timezone", "session", "source")
    )
    assert ("2023-11-14T22:13:20Z", None, []) == tuple(
        answer[name] for name in ("seen_from", "problem", "doubts")
    )


def test_a_doubt_and_a_problem_are_shown(client: FlaskClient, platform: Platform) -> None:
    """With the bar, or the reason."""
    platform.calendars.keep(SYMBOL, TEXTS, None, now=1_700_000_000)
    platform.calendars.doubt(SYMBOL, Interval.H1, 1_795_000_000)
    doubts = client.get(AAPL).get_json()["doubts"]
    assert [{"interval": "1h", "opened_at": "2026-11-18T11:06:40Z"}] == doubts
    platform.calendars.keep(SYMBOL, CalendarTexts("Mars", "0930"), "unknown zone", now=1)
    answer = client.get(AAPL).get_json()
    nothing = ("unknown zone", None, None, None, [])
    names = ("problem", "is_open", "next_open", "next_close", "sessions")
    assert nothing == tuple(answer[name] for name in names)


def test_unknown_hours_are_not_found(client: FlaskClient) -> None:
    """404 says what to do."""
    answer = client.get(AAPL)
    assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])
    assert "sync it first" in answer.get_json()["message"]


@pytest.mark.parametrize(
    "query",
    ["start=2026-11-30&end=2026-11-30", "start=1900-01-01&end=2000-01-01", "start=x", "limit=1"],
)
def test_a_range_that_is_none_is_refused(
    client: FlaskClient, platform: Platform, query: str
) -> None:
    """422, for a calendar that is known too."""
    platform.calendars.keep(SYMBOL, TEXTS, None, now=1)
    assert 422 == client.get(f"{AAPL}?{query}").status_code
