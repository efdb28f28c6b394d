"""Repairs: what has to be synced after a gap, and when."""

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.gaps import Unseen
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.repairs import Repairs, longer_bars, repairing
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, SyncRequest
from tests.forming import ALWAYS

NOON = 1_700_049_600  # Wednesday, 2023-11-15
AAPL = "NASDAQ:AAPL"
WAIT = 5.0
INTERVALS = (Interval.M1, Interval.M15, Interval.D1, Interval.W1)


def series(interval: Interval) -> Series:
    return Series(Symbol.parse(AAPL), interval)


def due_times(repairs: Repairs, times: list[float]) -> list[dict[Series, int]]:
    return [repairs.due(time) for time in times]


def test_a_series_is_due_when_the_last_touched_bar_has_ended() -> None:
    """Each interval has its own time, and is due once; the quote reports the day all the same."""
    repairs = Repairs(INTERVALS, WAIT)
    repairs.note(AAPL, [(NOON + MINUTE, NOON + 3 * MINUTE)], ALWAYS)
    since = NOON + MINUTE
    ends = [NOON + 3 * MINUTE, NOON + 15 * MINUTE]
    assert [{}, {}] == due_times(repairs, [ends[0] + 4.9] * 2)
    assert [{series(each): since} for each in INTERVALS[:2]] == due_times(
        repairs, [end + WAIT for end in ends]
    )
    assert repairs.due(NOON + 2 * DAY) == {}


def test_a_day_that_was_lost_as_a_whole_is_repaired() -> None:
    """It has no bar; a new stream has lost none."""
    repairs = Repairs((Interval.D1,), WAIT)
    repairs.note(AAPL, Unseen().found(NOON).gaps, ALWAYS)
    repairs.note(AAPL, [(NOON, NOON + DAY)], ALWAYS)
    assert {} == repairs.due(NOON + 10 * DAY)
    repairs.note(AAPL, [(NOON, NOON + 2 * DAY)], ALWAYS)
    midnight = NOON + 36 * HOUR
    assert {} == repairs.due(midnight + WAIT - 1)
    assert {series(Interval.D1): NOON} == repairs.due(midnight + WAIT)


def test_a_partial_day_is_repaired() -> None:
    """It is due when history should have it."""
    repairs = Repairs((Interval.D1,), WAIT)
    repairs.note_day(LiveBar.mark(AAPL, Interval.D1, (NOON, NOON + DAY)), NOON + 2 * DAY)
    assert {} == repairs.due(NOON + 2 * DAY + WAIT - 1)
    assert {series(Interval.D1): NOON} == repairs.due(NOON + 2 * DAY + WAIT)


def test_unknown_hours_are_fetched_at_once() -> None:
    """Once, by a sync of minutes that holds up no repair."""
    repairs = Repairs(INTERVALS, WAIT)
    gaps = Unseen().found(NOON + 10).gaps
    repairs.note(AAPL, gaps, None)
    assert [{series(Interval.M1): NOON + MINUTE}, {}] == due_times(repairs, [NOON + 10] * 2)
    assert {series(Interval.M1): gaps[0][0]} == repairs.due(NOON + MINUTE + WAIT)
    repairs.note(AAPL, [(NOON + 2 * MINUTE, NOON + 3 * MINUTE)], None)
    assert {} == repairs.due(NOON + 3 * MINUTE)


def test_gaps_of_one_bar_are_repaired_together() -> None:
    """The repair starts at the first gap."""
    repairs = Repairs((Interval.H1,), WAIT)
    for start in (NOON + 2 * MINUTE, NOON + 40 * MINUTE):
        repairs.note(AAPL, [(start, start + MINUTE)], ALWAYS)
    assert {series(Interval.H1): NOON + 2 * MINUTE} == repairs.due(NOON + HOUR + WAIT)


def test_a_clock_that_jumps_finds_each_series_once() -> None:
    """The repair starts at the first gap of each."""
    repairs = Repairs((Interval.M1,), WAIT)
    for start in (NOON, NOON + 10 * MINUTE):
        repairs.note(AAPL, [(start, start + MINUTE)], ALWAYS)
    assert {series(Interval.M1): NOON} == repairs.due(NOON + DAY)


def test_a_delayed_symbol_is_due_later() -> None:
    """The difference is its delay."""
    repairs = Repairs((Interval.M1,), WAIT)
    repairs.note(AAPL, [(NOON, NOON + MINUTE)], ALWAYS, delay_seconds=900)
    assert repairs.due(NOON + MINUTE + WAIT + 899) == {}
    assert {series(Interval.M1): NOON} == repairs.due(NOON + MINUTE + WAIT + 900)


def test_repairs_due_before_the_last_gap_are_not_repeated() -> None:
    """After a restart, of all gaps only bars that were open by then count."""
    repairs = Repairs(INTERVALS, WAIT)
    old, new = NOON, NOON + HOUR
    repairs.note(AAPL, [(old, old + MINUTE), (new, new + MINUTE)], ALWAYS)
    due = repairs.due(NOON + 2 * DAY)
    assert {series(Interval.M1): new, series(Interval.M15): new} == due


def test_a_restart_repeats_repairs_of_the_last_quarter_of_an_hour() -> None:
    """The streamer before may not have submitted them."""
    repairs = Repairs((Interval.M1,), WAIT)
    gaps = [(start, start + MINUTE) for start in (NOON, NOON + HOUR, NOON + HOUR + 10 * MINUTE)]
    repairs.note(AAPL, gaps, ALWAYS, is_restart=True)
    assert {series(Interval.M1): NOON + HOUR} == repairs.due(NOON + DAY)


def test_a_sync_reaches_back_to_the_gap() -> None:
    """It requests some extra bars, which may end while it waits."""
    gaps = {series(Interval.M1): NOON - HOUR, series(Interval.D1): NOON}
    requests = list(repairing(gaps, NOON))
    assert [
        SyncRequest(series(Interval.M1), 62),
        SyncRequest(series(Interval.D1), 10),
    ] == requests


def test_a_long_gap_requests_the_most_bars() -> None:
    """No sync requests more than the provider sends."""
    gaps = {series(Interval.M1): NOON - 30 * DAY}
    assert [SyncRequest(series(Interval.M1), MAX_BARS)] == list(repairing(gaps, NOON))


def test_a_new_stream_requests_a_few_of_the_newest_bars() -> None:
    """Its first bars are partial."""
    repairs = Repairs((Interval.M1,), WAIT)
    repairs.note(AAPL, Unseen().found(NOON + 20).gaps, ALWAYS)
    due = repairs.due(NOON + MINUTE + WAIT)
    assert [SyncRequest(series(Interval.M1), 10)] == list(repairing(due, NOON + MINUTE + WAIT))


def test_a_symbol_is_repaired_once_in_five_minutes() -> None:
    """Later repairs of the symbol are due together then; other symbols do not wait."""
    repairs = Repairs((Interval.M1, Interval.M3, Interval.M5), WAIT)
    repairs.note(AAPL, [(NOON, NOON + MINUTE)], ALWAYS)
    first = NOON + MINUTE + WAIT
    assert {series(Interval.M1): NOON} == repairs.due(first)
    repairs.note("NASDAQ:MSFT", [(NOON + 4 * MINUTE, NOON + 5 * MINUTE)], ALWAYS)
    msft = Series(Symbol.parse("NASDAQ:MSFT"), Interval.M1)
    assert msft in repairs.due(NOON + 5 * MINUTE + WAIT)
    assert {} == repairs.due(first + 5 * MINUTE - 1)
    together = {series(Interval.M3): NOON, series(Interval.M5): NOON}
    found = repairs.due(first + 5 * MINUTE)
    assert together == {each: since for each, since in found.items() if str(each.symbol) == AAPL}
    assert AAPL not in {str(each.symbol) for each in repairs.due(first + 10 * MINUTE)}


def test_one_sync_of_minutes_serves_all_intraday_series() -> None:
    """It reaches back to the start of the first touched bar."""
    intraday = [Interval.M1, Interval.M15, Interval.H4]
    gaps = {series(each): NOON + 7 * MINUTE for each in intraday}
    now = NOON + 4 * HOUR
    assert [SyncRequest(series(Interval.M1), 4 * 60 + 2)] == repairing(gaps, now)
    of_two = gaps | {Series(Symbol.parse("NASDAQ:MSFT"), Interval.M5): NOON}
    assert ["NASDAQ:AAPL|1m", "NASDAQ:MSFT|1m"] == [
        str(each.series) for each in repairing(of_two, now)
    ]


def test_a_series_that_minutes_do_not_reach_has_a_sync_of_its_own() -> None:
    """A gap of weeks needs the bars of the series."""
    gaps = {series(Interval.H4): NOON - 30 * DAY}
    assert [
        SyncRequest(series(Interval.M1), MAX_BARS),
        SyncRequest(series(Interval.H4), 182),
    ] == repairing(gaps, NOON)


def test_a_new_longer_series_requests_the_minutes_of_its_newest_bar() -> None:
    """The minutes since its end are added."""
    gaps = {series(Interval.H1): -1, series(Interval.D1): -1}
    assert [
        SyncRequest(series(Interval.M1), 82),
        SyncRequest(series(Interval.D1), 10),
    ] == repairing(gaps, NOON)


def minutes(*rows: tuple[int, float, float | None]) -> Bars:
    """Minutes after noon, each with its close and volume."""
    columns = [
        (NOON + number * MINUTE, close - 1, close + 2, close - 3, close, volume or np.nan)
        for number, close, volume in rows
    ]
    return Bars(np.array(columns, dtype=float).reshape(-1, 6).T.copy())


def test_a_longer_bar_is_made_of_its_minutes() -> None:
    """It has the first open, highest, lowest, last close and sum; single minutes may be missing."""
    found = longer_bars(
        minutes((0, 10, 0.1), (1, 14, 0.2), (4, 12, 0.3)),
        series(Interval.M5),
        NOON + 5 * MINUTE,
        ALWAYS,
    )
    (bar,) = found
    assert (NOON, NOON + 5 * MINUTE, False) == (bar.start, bar.end, bar.is_partial)
    assert (9, 16, 7, 12, 0.6) == (bar.open, bar.high, bar.low, bar.close, bar.volume)
    assert not bar.is_mark


def test_a_longer_bar_whose_time_is_not_wholly_known_is_not_made() -> None:
    """It began before the first minute, or ends after the known time."""
    known = minutes((4, 10, None), (6, 11, None), (11, 12, None))
    assert [(NOON + 5 * MINUTE, None)] == [
        (bar.start, bar.volume)
        for bar in longer_bars(known, series(Interval.M5), NOON + 12 * MINUTE, ALWAYS)
    ]
    assert [] == longer_bars(Bars.empty(), series(Interval.M5), NOON, ALWAYS)


NEW_YORK = parse_calendar(CalendarTexts("America/New_York", "0930-1600"))
OPEN = NOON + 150 * MINUTE  # 14:30 UTC


def test_bars_of_a_session_are_due_when_they_close() -> None:
    """A gap that reaches beyond the close is due at the close; repairs reach back to the open."""
    repairs = Repairs((Interval.H1,), WAIT)
    repairs.note(AAPL, [(OPEN + 50 * MINUTE, OPEN + DAY // 2)], NEW_YORK)
    close = OPEN + 13 * HOUR // 2
    assert {} == repairs.due(close + WAIT - 1)
    since = repairs.due(close + WAIT)
    assert {series(Interval.H1): OPEN} == since
    assert 390 <= repairing(since, close)[0].n_bars


def test_a_gap_while_the_market_is_closed_touches_no_longer_bar() -> None:
    """There is nothing to repair."""
    repairs = Repairs((Interval.H1,), WAIT)
    repairs.note(AAPL, [(NOON, NOON + HOUR)], NEW_YORK)
    assert {} == repairs.due(NOON + DAY)


def test_without_a_calendar_minutes_alone_are_synced() -> None:
    """Their sync brings it, whatever the intervals are."""
    repairs = Repairs((Interval.H1,), WAIT)
    repairs.note(AAPL, Unseen().found(NOON).gaps, None)
    assert [series(Interval.M1)] == list(repairs.due(NOON + MINUTE + WAIT))


def test_longer_bars_are_those_of_the_session() -> None:
    """Minutes out of session are in none, and the last bar is short."""
    known = minutes(*((number, 10, 1.0) for number in range(140, 570)))
    made = longer_bars(known, series(Interval.H4), NOON + 570 * MINUTE, NEW_YORK)
    assert [(OPEN, 240.0), (OPEN + 4 * HOUR, 150.0)] == [(bar.start, bar.volume) for bar in made]
    assert OPEN + 390 * MINUTE == made[-1].end
