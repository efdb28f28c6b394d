"""Local times → UTC."""

from datetime import UTC, datetime

import numpy as np
import pytest

from pocketquant.domain.calendar.zones import offsets_at, parse_zone, to_utc
from pocketquant.domain.errors import InvalidCalendar


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def _utc_of(zone: str, *local: str) -> list[str]:
    seconds = to_utc(parse_zone(zone), np.array([_seconds(each) for each in local]))
    return [f"{datetime.fromtimestamp(each, UTC):%Y-%m-%d %H:%M}" for each in seconds.tolist()]


def test_summer_and_winter() -> None:
    """Each local time has the offset of its own season."""
    expected = ["2024-07-01 13:30", "2025-01-02 14:30"]
    assert expected == _utc_of("America/New_York", "2024-07-01 09:30", "2025-01-02 09:30")


def test_a_skipped_time_is_the_moment_of_the_change() -> None:
    """Between 02:00 and 03:00 of that night there is one moment only, and order is kept."""
    expected = ["2026-03-08 06:59", "2026-03-08 07:00", "2026-03-08 07:00", "2026-03-08 07:01"]
    local = ["2026-03-08 01:59", "2026-03-08 02:00", "2026-03-08 02:59", "2026-03-08 03:01"]
    assert expected == _utc_of("America/New_York", *local)


def test_the_offset_at_a_time_changes_with_the_clock() -> None:
    """From the second of the change on, whatever the order of the times."""
    change = _seconds("2026-03-08 07:00")
    offsets = offsets_at(parse_zone("America/New_York"), np.array([change, change - 1, change + 1]))
    assert [-4 * 3600, -5 * 3600, -4 * 3600] == offsets.tolist()


def test_a_repeated_time_is_its_first_one() -> None:
    """The hour that the clock shows twice lies wholly between 01:59 and 02:00."""
    expected = ["2026-11-01 05:00", "2026-11-01 05:59", "2026-11-01 07:00"]
    local = ["2026-11-01 01:00", "2026-11-01 01:59", "2026-11-01 02:00"]
    assert expected == _utc_of("America/New_York", *local)


def test_a_zone_without_changes() -> None:
    """Half hours of offset are kept."""
    assert ["2025-12-18 03:45"] == _utc_of("Asia/Kolkata", "2025-12-18 09:15")


def test_no_times() -> None:
    """No local times give no times."""
    assert [] == _utc_of("Europe/London")


@pytest.mark.parametrize("name", ["", "America/Gotham", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    """The error names the zone."""
    with pytest.raises(InvalidCalendar, match="timezone: there is no zone ") as refusal:
        parse_zone(name)
    assert repr(name) in str(refusal.value)
