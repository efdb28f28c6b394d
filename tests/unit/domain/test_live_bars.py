"""Live bars: bars put together from parts."""

import pytest

from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar, put_together
from pocketquant.domain.symbols import Series
from tests.forming import ALWAYS

NOON = 1_700_049_600  # 12:00 UTC


def minute(number: int, volume: float | None = 1.0, is_partial: bool = False) -> LiveBar:
    """A minute after noon, its prices around its number."""
    start = NOON + 60 * number
    prices = (number, number + 5.0, number - 5.0, number + 1.0)
    times = (start + 1, start + 59)
    return LiveBar(
        "NYSE:KO", Interval.M1, start, start + 60, *prices, volume, 2, is_partial, *times
    )


def test_the_series_of_a_bar() -> None:
    """A bar belongs to the series of its symbol and interval."""
    assert Series.parse("NYSE:KO|1m") == minute(0).series


def test_a_bar_of_its_parts() -> None:
    """It has the first open, the last close and the extremes; volumes add up exactly."""
    expected = LiveBar(
        symbol="NYSE:KO",
        interval=Interval.M5,
        start=NOON,
        end=NOON + 300,
        open=1.0,
        high=8.0,
        low=-4.0,
        close=4.0,
        volume=0.3,
        tick_count=4,
        is_partial=False,
        first_tick_at=NOON + 61,
        last_tick_at=NOON + 239,
    )
    assert expected == put_together(Interval.M5, [minute(1, 0.1), minute(3, 0.2)], NOON, ALWAYS)


def test_parts_of_an_earlier_period() -> None:
    """Only parts of the newest period count."""
    parts = [minute(3), minute(4), minute(5)]
    assert minute(5)._replace(interval=Interval.M5, end=NOON + 600) == put_together(
        Interval.M5, parts, NOON, ALWAYS
    )
    assert minute(5) == put_together(Interval.M1, parts, NOON, ALWAYS)


@pytest.mark.parametrize(
    ("parts", "seen_since", "expected"),
    [
        ([minute(3), minute(4)], NOON, False),
        ([minute(3), minute(4)], NOON + 60, True),
        ([minute(3, is_partial=True), minute(4)], NOON, True),
    ],
)
def test_a_bar_is_partial_if_a_part_is_or_if_it_began_in_a_gap(
    parts: list[LiveBar], seen_since: int, expected: bool
) -> None:
    """Otherwise it is complete."""
    bar = put_together(Interval.M5, parts, seen_since, ALWAYS)
    assert bar is not None
    assert expected == bar.is_partial


@pytest.mark.parametrize(
    ("volumes", "expected"), [((None, None), None), ((None, 2.0), 2.0), ((0.0, None), 0.0)]
)
def test_bars_without_volume(volumes: tuple[float | None, ...], expected: float | None) -> None:
    """A bar has no volume if none of its parts has one."""
    bar = put_together(
        Interval.M5, [minute(number, each) for number, each in enumerate(volumes)], 0, ALWAYS
    )
    assert bar is not None
    assert expected == bar.volume


def test_no_parts_make_no_bar() -> None:
    """The result is None."""
    assert put_together(Interval.M5, [], NOON, ALWAYS) is None


def test_a_mark() -> None:
    """It names the bar of a period, and has no prices."""
    mark = LiveBar.mark("NYSE:KO", Interval.M5, (1_700_000_100, 1_700_000_400))
    assert (1_700_000_100, 1_700_000_400) == (mark.start, mark.end)
    assert (True, True, None) == (mark.is_mark, mark.is_partial, mark.volume)
    assert not mark._replace(tick_count=1).is_mark
