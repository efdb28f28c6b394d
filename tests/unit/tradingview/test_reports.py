"""The dividends that a quote names, and the day before that it reports."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pocketquant.domain.events import Dividend
from pocketquant.domain.reports import QuotedDay, Report
from pocketquant.tradingview.messages import PREVIOUS_DAY
from pocketquant.tradingview.reports import QuoteReports

PAID, NEXT = 1_794_960_000, 1_802_736_000  # 2026-11-18, 2027-02-16
RECENT, AMOUNT = "dividend_ex_date_recent", "dividend_amount_recent"
UPCOMING = "dividend_ex_date_upcoming"
DAY = {
    "time": "1794873600",
    "open": "2",
    "high": "4",
    "low": "1",
    "close": "3",
    "volume": "5",
    "update-time": "1794909600.5",
}


def named(*updates: dict[str, Any]) -> tuple[Dividend, ...]:
    return report(*updates).dividends


def report(*updates: dict[str, Any]) -> Report:
    reports = QuoteReports()
    for fields in updates:
        reports.update(fields)
    return reports.report()


def test_the_last_dividend_and_the_next_one() -> None:
    """The next one has no amount yet; later updates are merged."""
    whole = {RECENT: PAID, AMOUNT: 0.26, UPCOMING: NEXT, "lp": 5.0}
    last, ahead = Dividend(date(2026, 11, 18), 0.26), Dividend(date(2027, 2, 16))
    assert (last, ahead) == named(whole)
    paid = named(whole, {RECENT: NEXT, UPCOMING: None})
    assert (Dividend(date(2027, 2, 16), 0.26),) == paid
    assert (Dividend(date(2027, 2, 16), 0.27),) == named(whole, {RECENT: NEXT, AMOUNT: 0.27})


@pytest.mark.parametrize("time", [None, "soon", True, -1, 4_102_444_800, 1e300, [], {}])
def test_a_date_that_is_none(time: object) -> None:
    """A dividend without a readable date is left out."""
    assert () == named({RECENT: time, AMOUNT: 0.26, UPCOMING: time})


@pytest.mark.parametrize("amount", [None, "much", True, 0, -0.5, 1e100, float("nan")])
def test_an_amount_that_is_none(amount: object) -> None:
    """The dividend is named without it."""
    assert (Dividend(date(2026, 11, 18)),) == named({RECENT: PAID, AMOUNT: amount})


def test_the_captured_day_before(wire: Path) -> None:
    """Its numbers are texts, and its time is midnight UTC of the trading day."""
    captured = json.loads((wire / "nse_quote_day_2025-12-18.json").read_text())
    expected = QuotedDay(date(2025, 12, 17), 258.69, 267.95, 255.65, 258.55, 175_005.0)
    assert expected == report(captured).previous_day


@pytest.mark.parametrize(
    ("changes", "volume"),
    [({"volume": "1e100"}, None), ({"volume": None}, None), ({"volume": 7}, 7.0)],
)
def test_a_day_without_a_volume(changes: dict[str, Any], volume: float | None) -> None:
    """A day needs its date and its prices; a number may be one."""
    day = report({PREVIOUS_DAY: {**DAY, **changes}}).previous_day
    assert QuotedDay(date(2026, 11, 17), 2.0, 4.0, 1.0, 3.0, volume) == day


@pytest.mark.parametrize(
    "bar",
    [
        None,
        "closed",
        {},
        *(
            {**DAY, name: text}
            for name in ("time", "open", "high", "low", "close")
            for text in (None, "?", "nan", "-1")
        ),
    ],
)
def test_a_day_that_cannot_be_read(bar: object) -> None:
    """There is none then, and no error."""
    assert None is report({PREVIOUS_DAY: bar}).previous_day
