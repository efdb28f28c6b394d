"""Sessions of whole years."""

from zoneinfo import ZoneInfo

import numpy as np

from pocketquant.domain.calendar.grammar import FIRST_YEAR, LAST_YEAR
from pocketquant.domain.calendar.lengths import BarLength
from pocketquant.domain.calendar.rules import Rules
from pocketquant.domain.calendar.session_table import SessionTable, groups_of_equal


def _table(
    session: str,
    zone: str = "Etc/UTC",
    years: range = range(2026, 2027),
    corrections: str = "",
    counts_through_breaks: bool = False,
) -> SessionTable:
    rules = Rules.parse(session, "", corrections)
    return SessionTable.expand(rules, ZoneInfo(zone), years, counts_through_breaks)


def test_trading_days_decide_the_year() -> None:
    """The first session of a year may open in the year before."""
    table = _table("1700-1600:1234567", years=range(2026, 2028))
    assert 2 * 365 == len(table.opens)
    assert "2025-12-31T17:00" == str(np.datetime64(int(table.opens[0]), "s").astype("M8[m]"))
    assert "2027-12-31T16:00" == str(np.datetime64(int(table.closes[-1]), "s").astype("M8[m]"))


def test_bounds_in_time() -> None:
    """A table says from when to when it knows all; beyond the known years is nothing."""
    table = _table("24x7", years=range(2025, 2027))
    assert (1735689600, 1798761600) == (table.start, table.end)
    edges = _table("24x7", years=range(FIRST_YEAR, LAST_YEAR + 1))
    assert (-(1 << 62), 1 << 62) == (edges.start, edges.end)


def test_a_session_within_a_skipped_hour_does_not_exist() -> None:
    """Clocks went from 02:00 to 03:00 on 8 March 2026."""
    table = _table("0210-0250:1", "America/New_York")
    days = table.days.astype("datetime64[D]").astype(str).tolist()
    assert ["2026-03-01", "2026-03-15"] == days[8:10]


def test_lists_for_bisect() -> None:
    """They hold the columns."""
    table = _table("0930-1600")
    assert table.opens.tolist() == table.open_list
    assert table.closes.tolist() == table.close_list


def test_anchors() -> None:
    """Bars count from their session's open, or from that of the day's first session."""
    anew = _table("0930-1130,1300-1500")
    through = _table("0930-1130,1300-1500", counts_through_breaks=True)
    assert anew.opens.tolist() == anew.anchors.tolist()
    assert list(range(4)) == anew.lasts[:4].tolist()
    assert np.repeat(anew.opens[::2], 2).tolist() == through.anchors.tolist()
    assert [1, 1, 3, 3] == through.lasts[:4].tolist()


def test_weeks_begin_with_the_first_day_of_the_week() -> None:
    """Monday, or the day that the text says."""
    monday = _table("24x7").week_starts.astype("datetime64[D]").astype(str)
    assert ["2025-12-29"] * 4 + ["2026-01-05"] == monday[:5].tolist()
    sunday = _table("1;1000-1500:12345").week_starts.astype("datetime64[D]").astype(str)
    assert ["2025-12-28", "2026-01-04"] == sunday[:2].tolist()


def test_groups_of_equal_neighbours() -> None:
    """Each group has its first and its last index; no keys have no groups."""
    groups = groups_of_equal(np.array([7, 7, 3, 7]))
    expected = ([0, 2, 3], [1, 2, 3], [0, 0, 1, 2])
    assert expected == tuple(each.tolist() for each in groups)
    assert ([], [], []) == tuple(each.tolist() for each in groups_of_equal(np.array([], int)))


def _first_days(table: SessionTable, length: str) -> list[str]:
    firsts = table.groups(BarLength.parse(length)).firsts
    return table.days[firsts].astype("datetime64[D]").astype(str).tolist()


def test_bars_of_days_count_within_their_year() -> None:
    """So what happened in another year moves none; the last bar of a year may be short."""
    table = _table("0930-1130,1300-1500", years=range(2025, 2027))
    days = _first_days(table, "2d")
    assert ["2025-01-01", "2025-01-03", "2025-01-07"] == days[:3]
    assert ["2025-12-31", "2026-01-01", "2026-01-05"] == days[130:133]


def test_bars_of_weeks_and_months() -> None:
    """Weeks begin on Monday, months with their first trading day; quarters in January."""
    table = _table("0930-1600")
    assert ["2026-01-01", "2026-01-05", "2026-01-12"] == _first_days(table, "1w")[:3]
    assert ["2026-01-01", "2026-02-02", "2026-03-02"] == _first_days(table, "1M")[:3]
    assert ["2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01"] == _first_days(table, "3M")


def test_groups_are_kept() -> None:
    """They are found once for each length."""
    table = _table("0930-1600")
    assert table.groups(BarLength.parse("1w")) is table.groups(BarLength.parse("1w"))


def test_the_bar_of_a_session() -> None:
    """The first and the last session of its bar."""
    table = _table("0930-1130,1300-1500")
    assert (0, 1) == table.bar_of(1, BarLength.parse("1d"))
    assert (4, 13) == table.bar_of(9, BarLength.parse("1w"))
