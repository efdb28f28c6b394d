"""Unseen: which bars a stream's gaps touch."""

from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.gaps import MOST_GAPS, Unseen

NOW = 1_700_000_040  # a whole minute
seconds = st.integers(0, 3600)


def seen_from(time: float) -> Unseen:
    """A stream that is seen from `time` on."""
    return Unseen().found(time)


def test_a_new_stream_is_lost() -> None:
    """All time before its first `found` is a gap."""
    assert Unseen().touches(NOW, NOW + 60)
    assert NOW + 10**9 < Unseen().seen_since


def test_the_beginning_of_a_stream() -> None:
    """The minute in which a stream begins touches a gap, the next one does not."""
    unseen = seen_from(NOW + 0.5)
    assert [True, True, False] == [
        unseen.touches(start, start + 60) for start in (NOW - 60, NOW, NOW + 60)
    ]
    assert NOW + 60 == unseen.seen_since


def test_a_stream_without_a_gap_is_seen_since_ever() -> None:
    """Its last gaps have been dropped."""
    unseen = seen_from(NOW).after(NOW)
    assert not unseen.touches(NOW, NOW + 60)
    assert NOW - 10**9 > unseen.seen_since


def test_a_gap() -> None:
    """A gap touches the minutes that contain a part of it, and the longer bars around them."""
    unseen = seen_from(NOW).lost(NOW + 119).found(NOW + 180)
    starts = range(NOW, NOW + 300, 60)
    assert [False, True, True, False, False] == [
        unseen.touches(start, start + 60) for start in starts
    ]
    assert unseen.touches(NOW, NOW + 300)
    assert NOW + 180 == unseen.seen_since


def test_a_lost_stream_touches_bars_that_end_after_the_loss() -> None:
    """Bars that ended before it are not touched."""
    unseen = seen_from(NOW).lost(NOW + 60)
    assert [False, True, True] == [
        unseen.touches(start, start + 60) for start in (NOW, NOW + 60, NOW + 600)
    ]
    assert unseen == unseen.lost(NOW + 90)


def test_no_time_is_no_gap() -> None:
    """A loss of no time, and a second `found`, change nothing."""
    unseen = seen_from(NOW)
    assert unseen == unseen.lost(NOW + 30.5).found(NOW + 30.5)
    assert unseen == unseen.found(NOW + 90)


def test_gaps_in_a_row_are_one() -> None:
    """Gaps in one minute, or in adjacent minutes, become one."""
    unseen = seen_from(NOW)
    for lost_at, found_at in ((130, 131), (140, 150), (180, 190), (300, 301)):
        unseen = unseen.lost(NOW + lost_at).found(NOW + found_at)
    assert ((NOW + 120, NOW + 240), (NOW + 300, NOW + 360)) == unseen.gaps[1:]


def test_old_gaps_are_dropped() -> None:
    """`after` drops the gaps that ended by a time."""
    unseen = seen_from(NOW).lost(NOW + 120).found(NOW + 180)
    assert unseen.gaps[1:] == unseen.after(NOW).gaps
    assert () == unseen.after(NOW + 180).gaps


def test_too_many_gaps() -> None:
    """If there are too many, the oldest two become one, including the time between them."""
    unseen = seen_from(NOW)
    for number in range(1, MOST_GAPS + 1):
        unseen = unseen.lost(NOW + 120 * number).found(NOW + 120 * number + 1)
    assert MOST_GAPS == len(unseen.gaps)
    assert NOW + 180 == unseen.gaps[0][1]
    assert unseen.touches(NOW + 60, NOW + 120)
    assert not unseen.touches(NOW + 180, NOW + 240)


def test_a_clock_that_was_put_back() -> None:
    """If a stream is back before its loss, the time between them is a gap."""
    unseen = seen_from(NOW).lost(NOW + 300).found(NOW + 130)
    assert ((NOW + 120, NOW + 300), None) == (unseen.gaps[-1], unseen.lost_at)


def test_a_gap_can_be_added_later() -> None:
    """It merges with gaps beside it, also while the stream is lost."""
    unseen = seen_from(NOW).lost(NOW + 300).found(NOW + 301).lacking(NOW + 130, NOW + 131)
    assert ((NOW + 120, NOW + 180), (NOW + 300, NOW + 360)) == unseen.gaps[1:]
    joined = unseen.lacking(NOW + 180, NOW + 299)
    assert ((NOW + 120, NOW + 360),) == joined.gaps[1:]
    assert NOW + 500 == unseen.lost(NOW + 500).lacking(NOW, NOW + 1).lost_at


@given(st.lists(st.tuples(seconds, seconds), max_size=20), seconds)
def test_a_minute_is_touched_if_a_gap_overlaps_it(
    spans: list[tuple[int, int]], minute: int
) -> None:
    """No other minute is touched."""
    start = NOW + minute // 60 * 60
    unseen = seen_from(NOW)
    happened = []
    for wait, length in spans:
        lost_at = (happened[-1][1] if happened else NOW) + wait
        happened.append((lost_at, lost_at + length))
        unseen = unseen.lost(lost_at).found(lost_at + length)
    expected = any(a < start + 60 and start < b and a < b for a, b in happened)
    assert expected == unseen.touches(start, start + 60)
