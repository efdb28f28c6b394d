"""History and the live bars that extend it, as one series in which no time is told twice."""

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.intervals import HOUR, Interval
from pocketquant.domain.syncs import MAX_BARS, History, SyncRequest

_FIRST_EVENING_HOUR = 18
_BARS_MORE = 5  # the forming one, and some for periods of uneven length


def history_end(interval: Interval, last_open: int) -> int:
    """From when on live bars extend a history whose last bar opens at `last_open`.

    Intraday, that is the bar's length later, wherever its market lets it begin. A daily bar opens
    with its session, and belongs to the day in UTC that holds most of it: that of its opening, or
    the next one for sessions that open in the evening, as futures and currencies do. The same goes
    for weeks and months.
    """
    if interval.is_intraday:
        return last_open + interval.seconds
    return interval.period_end(last_open + (24 - _FIRST_EVENING_HOUR) * HOUR)


def place_before(interval: Interval, open_time: int, is_live: bool) -> int:
    """Before when the bars open that come before this one.

    A live day takes the place of the session that history will have for it, which may open in the
    evening before.
    """
    if interval.is_intraday or not is_live:
        return open_time
    return interval.period_start(open_time) - (24 - _FIRST_EVENING_HOUR) * HOUR


def place_after(interval: Interval, open_time: int, is_live: bool) -> int:
    """From when on the bars open that come after this one; see `place_before`."""
    if interval.is_intraday or not is_live:
        return open_time + 1
    return interval.period_end(open_time) - (24 - _FIRST_EVENING_HOUR) * HOUR


def join(history: Bars, live: Bars, limit: int, newest: bool) -> tuple[Bars, int]:
    """At most `limit` bars, the newest or the oldest, and how many of them are live.

    `live` are bars from the end of the history on.
    """
    both = concatenate([history, live])
    if newest:
        return both.last(limit), min(len(live), limit)
    joined = both.first(limit)
    return joined, max(0, len(joined) - len(history))


def bars_to_reach(oldest_live: int | None, history: History, request: SyncRequest) -> int | None:
    """How many bars to ask for so that they reach back to the oldest live bar.

    None where the history at hand does, or is all that can be had.
    """
    first, last = history.closed.first_time, history.closed.last_time
    if oldest_live is None or first is None or last is None or first <= oldest_live:
        return None
    if history.fetched < request.n_bars or request.n_bars == MAX_BARS:
        return None
    wanted = (last - oldest_live) // request.series.interval.seconds + _BARS_MORE
    return min(max(wanted, request.n_bars), MAX_BARS)
