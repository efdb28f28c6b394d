"""Dates and moments in requests → epoch times."""

import pytest

from web.moments import epoch_milliseconds, epoch_seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-02", 86_400),
        ("1969-12-31", -86_400),
        ("2024-01-31T14:30:00Z", 1_706_711_400),
        ("2024-01-31T15:30:00+01:00", 1_706_711_400),
        ("2024-01-31T09:30:00-05:00", 1_706_711_400),
        ("2024-01-31T14:29:59.000001Z", 1_706_711_400),
        ("2024-01-31T14:30:00.000Z", 1_706_711_400),
        ("1969-12-31T23:59:58.5Z", -1),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140),
        ("9999-12-31T23:59:59.999999-23:59", 253_402_387_140),
    ],
)
def test_a_date_or_a_moment_is_the_first_whole_second_at_or_after_it(
    text: str, expected: int
) -> None:
    """Dates are 00:00 UTC, offsets count, fractions round up, years 1 to 9999 work."""
    assert expected == epoch_seconds(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0.5", "1706711400", "now", "2024", "2024-01", "20240131", "2024-W05-3", "2024-031"),
        *("2024-1-31", "31.01.2024", "2024-01-31 14:30:00Z", "2024-01-31T14:30Z", "2024-02-30"),
        *(
            "2024-01-31T14:30:00 02:00",
            "2024-01-31T25:00:00Z",
            "2024-01-31T14:30:00+2",
            "\uff12\uff10\uff12\uff14-01-31",
        ),
        *("2024-01-31T14:30:00z\n", "2024-01-31\n", "2024-01-31T14:30:00Z" * 1000),
        *(None, 5, 0.5, True, ["2024-01-31"]),
    ],
)
def test_anything_else_is_refused(text: object) -> None:
    """Only ISO 8601 is accepted: no epoch seconds, no week dates, no other digits."""
    with pytest.raises(ValueError, match=r"."):
        epoch_seconds(text)


def test_a_moment_without_offset_is_refused_with_advice() -> None:
    """Such a moment is ambiguous; the message says what to add."""
    with pytest.raises(ValueError, match=r"needs its offset: Z"):
        epoch_seconds("2024-01-31T14:30:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-02", 86_400_000),
        ("2024-01-31T15:30:00.0019+01:00", 1_706_711_400_001),
        ("1969-12-31T23:59:59.9995Z", -1),
    ],
)
def test_a_moment_is_the_last_whole_millisecond_up_to_it(text: str, expected: int) -> None:
    """Bars that were stored later in that millisecond are not of the moment."""
    assert expected == epoch_milliseconds(text)
