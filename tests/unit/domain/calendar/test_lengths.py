"""Lengths of bars."""

import pytest

from pocketquant.domain.calendar import BarLength, Unit
from pocketquant.domain.errors import InvalidInterval
from pocketquant.domain.intervals import DAY, MINUTE, Interval


@pytest.mark.parametrize(
    ("text", "count", "unit", "seconds"),
    [
        ("90m", 90, Unit.MINUTE, 90 * MINUTE),
        ("6h", 360, Unit.MINUTE, 360 * MINUTE),
        ("2d", 2, Unit.DAY, 0),
        ("1w", 1, Unit.WEEK, 0),
        ("3M", 3, Unit.MONTH, 0),
    ],
)
def test_reading(text: str, count: int, unit: Unit, seconds: int) -> None:
    """Hours are minutes; only intraday bars have a length in seconds."""
    length = BarLength.parse(text)
    assert (count, unit, seconds) == (length.count, length.unit, length.seconds)
    assert (unit is Unit.MINUTE) == length.is_intraday


@pytest.mark.parametrize("text", ["", "0m", "1", "1D", "1.5h", "10000m", "1m ", "٣m"])
def test_other_text_is_no_length(text: str) -> None:
    """The error shows the text and examples."""
    with pytest.raises(InvalidInterval, match="as 90m, 6h, 2d, 1w or 1M") as refusal:
        BarLength.parse(text)
    assert repr(text) in str(refusal.value)


@pytest.mark.parametrize("interval", Interval)
def test_each_interval_is_a_length(interval: Interval) -> None:
    """The 13 intervals are lengths; a length is its own."""
    length = BarLength.of(interval)
    assert BarLength.parse(interval.value) == length
    assert length is BarLength.of(length)
    assert interval.is_intraday == length.is_intraday


def test_reach() -> None:
    """Sessions of one bar lie further apart the more weeks or months it counts."""
    texts = ["1m", "6h", "2d", "1w", "2w", "3M"]
    expected = [0, 0, 0, 7, 14, 93]
    reaches = [BarLength.parse(text).reach_seconds // DAY - 14 for text in texts]
    assert expected == reaches
