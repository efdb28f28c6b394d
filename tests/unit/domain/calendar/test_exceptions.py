"""Days that are listed one by one."""

from pocketquant.domain.calendar import CalendarTexts, exceptions


def test_listed_days_are_off_or_special() -> None:
    """A correction beats a holiday, and `dayoff` is one without being listed as such."""
    corrections = "1800-1915:20261108;dayoff:20250109;0930-1300:20261127"
    texts = CalendarTexts("Asia/Kolkata", "0915-1530", "20261126,20261108", corrections)
    listed = exceptions(texts)
    assert ["2025-01-09", "2026-11-26"] == listed.days_off.astype(str).tolist()
    assert ["2026-11-08", "2026-11-27"] == listed.special_days.astype(str).tolist()
