"""Repairs: what has to be synced after a gap, and when."""

from pocketquant.domain.gaps import Unseen
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.repairs import Repairs, repairing
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, SyncRequest

NOON = 1_700_049_600  # Wednesday, 2023-11-15
AAPL = "NASDAQ:AAPL"
WAIT = 5.0
INTERVALS = (Interval.M1, Interval.M15, Interval.D1)


def series(interval: Interval) -> Series:
    return Series(Symbol.parse(AAPL), interval)


def due_times(repairs: Repairs, times: list[float]) -> list[dict[Series, int]]:
    return [repairs.due(time) for time in times]


def test_a_series_is_due_when_the_last_touched_bar_has_ended() -> None:
    """Each interval at its own time, and once only."""
    repairs = Repairs(INTERVALS, WAIT)
    repairs.note(AAPL, [(NOON + MINUTE, NOON + 3 * MINUTE)])
    since = NOON + MINUTE
    ends = [NOON + 3 * MINUTE, NOON + 15 * MINUTE, NOON + DAY // 2]
    assert [{}, {}, {}] == due_times(repairs, [ends[0] + 4.9] * 3)
    assert [{series(each): since} for each in INTERVALS] == due_times(
        repairs, [end + WAIT for end in ends]
    )
    assert repairs.due(NOON + 2 * DAY) == {}


def test_gaps_of_one_bar_are_repaired_together() -> None:
    """Since the first of them."""
    repairs = Repairs((Interval.H1,), WAIT)
    for start in (NOON + 2 * MINUTE, NOON + 40 * MINUTE):
        repairs.note(AAPL, [(start, start + MINUTE)])
    assert {series(Interval.H1): NOON + 2 * MINUTE} == repairs.due(NOON + HOUR + WAIT)


def test_several_that_are_due_at_once() -> None:
    """A clock that has jumped finds each series once, since its first gap."""
    repairs = Repairs((Interval.M1,), WAIT)
    for start in (NOON, NOON + 10 * MINUTE):
        repairs.note(AAPL, [(start, start + MINUTE)])
    assert {series(Interval.M1): NOON} == repairs.due(NOON + DAY)


def test_a_delayed_symbol_is_due_later() -> None:
    """By as much as its clock is behind."""
    repairs = Repairs((Interval.M1,), WAIT)
    repairs.note(AAPL, [(NOON, NOON + MINUTE)], delay_seconds=900)
    assert repairs.due(NOON + MINUTE + WAIT + 899) == {}
    assert {series(Interval.M1): NOON} == repairs.due(NOON + MINUTE + WAIT + 900)


def test_what_was_due_before_the_last_gap_is_not_asked_for_again() -> None:
    """Of the gaps handed over after a restart, only bars that were open by then."""
    repairs = Repairs(INTERVALS, WAIT)
    old, new = NOON, NOON + HOUR
    repairs.note(AAPL, [(old, old + MINUTE), (new, new + MINUTE)])
    due = repairs.due(NOON + 2 * DAY)
    assert {
        series(Interval.M1): new,
        series(Interval.M15): new,
        series(Interval.D1): old,
    } == due


def test_what_may_have_been_held_up_before_a_restart_is_asked_for_again() -> None:
    """For a quarter of an hour."""
    repairs = Repairs((Interval.M1,), WAIT)
    gaps = [(start, start + MINUTE) for start in (NOON, NOON + HOUR, NOON + HOUR + 10 * MINUTE)]
    repairs.note(AAPL, gaps, is_restart=True)
    assert {series(Interval.M1): NOON + HOUR} == repairs.due(NOON + DAY)


def test_a_sync_reaches_back_to_the_gap() -> None:
    """With some bars more, for those that end while it waits."""
    gaps = {series(Interval.M1): NOON - HOUR, series(Interval.D1): NOON}
    requests = list(repairing(gaps, NOON))
    assert [
        SyncRequest(series(Interval.M1), 62),
        SyncRequest(series(Interval.D1), 10),
    ] == requests


def test_a_long_gap_takes_as_many_bars_as_there_are() -> None:
    """No sync asks for more than the provider gives."""
    gaps = {series(Interval.M1): NOON - 30 * DAY}
    assert [SyncRequest(series(Interval.M1), MAX_BARS)] == list(repairing(gaps, NOON))


def test_a_stream_that_was_never_seen_before() -> None:
    """Its first bars are partial, and a few of the newest are asked for."""
    repairs = Repairs((Interval.M1,), WAIT)
    repairs.note(AAPL, Unseen().found(NOON + 20).gaps)
    due = repairs.due(NOON + MINUTE + WAIT)
    assert [SyncRequest(series(Interval.M1), 10)] == list(repairing(due, NOON + MINUTE + WAIT))
