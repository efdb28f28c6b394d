"""Trading hours as a resolved symbol has them."""

from typing import Any

import msgspec
import pytest

from pocketquant.domain.calendar import CalendarTexts
from pocketquant.tradingview.calendar_texts import calendar_texts
from pocketquant.tradingview.messages import Resolved

HOURS = {"timezone": "America/New_York", "session": "0930-1600"}
REGULAR = {"id": "regular", "session": "0930-1600", "session-correction": "0930-1300:20261127"}
PARTS = [{"id": "premarket", "session-correction": "0400-0900:20261127"}, REGULAR]


@pytest.mark.parametrize(
    ("more", "holidays", "corrections"),
    [
        ({}, "", ""),
        ({"session_holidays": "20261126"}, "20261126", ""),
        ({"subsession_id": "regular", "subsessions": PARTS}, "", "0930-1300:20261127"),
        ({"subsession_id": "regular", "subsessions": PARTS, "corrections": "x"}, "", "x"),
        ({"subsession_id": "regular", "subsessions": PARTS, "corrections": ""}, "", ""),
        ({"subsession_id": "extended", "subsessions": PARTS}, "", ""),
        ({"subsession_id": "regular", "subsessions": [1, None]}, "", ""),
        ({"subsession_id": "regular", "subsessions": "regular"}, "", ""),
        ({"session_holidays": 20261126}, "20261126", ""),
    ],
)
def test_corrections_are_those_of_the_named_subsession(
    more: dict[str, Any], holidays: str, corrections: str
) -> None:
    """Unless the symbol has corrections of its own, if only an empty text."""
    resolved = msgspec.convert({**HOURS, **more}, Resolved)
    expected = CalendarTexts("America/New_York", "0930-1600", holidays, corrections)
    assert expected == calendar_texts(resolved)


@pytest.mark.parametrize("silent", ["timezone", "session"])
def test_without_hours_or_zone_there_are_no_texts(silent: str) -> None:
    """A symbol may be resolved without them."""
    assert None is calendar_texts(msgspec.convert({**HOURS, silent: ""}, Resolved))
