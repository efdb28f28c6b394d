"""Which bar of a compared symbol is drawn at a bar of the chart."""

from datetime import UTC, datetime
from typing import Any

from tests.unit.web.page_modules import called

MODULE = "chart/alignment.js"


def bar(text: str, trading_day: str | None = None) -> dict[str, Any]:
    opened = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return {"time": int(opened.timestamp()), "tradingDay": trading_day}


def beside(one: dict[str, Any], others: list[dict[str, Any]], interval: str) -> int:
    ((index,),) = called(MODULE, "indexesBeside", ([one], others, interval))
    return int(index)


def test_a_bar_of_the_same_open_is_beside() -> None:
    """A minute without trades has no bar, and the ones around it do not stand in for it."""
    others = [bar("2026-11-27T10:00"), bar("2026-11-27T10:02")]
    bars = [bar(f"2026-11-27T10:0{minute}") for minute in range(4)]
    assert [[0, -1, 1, -1], [-1] * 4, []] == called(
        MODULE, "indexesBeside", (bars, others, "1m"), (bars, [], "1m"), ([], others, "1m")
    )


def test_the_nearest_open_is_beside() -> None:
    """Hours of New York open at half past: the bar that they share most time with, or the older."""
    others = [bar(f"2026-11-27T{hour}:00") for hour in range(12, 22, 2)]
    assert 1 == beside(bar("2026-11-27T14:30"), others, "2h")
    assert 2 == beside(bar("2026-11-27T15:30"), others, "2h")
    assert 1 == beside(bar("2026-11-27T15:00"), others, "2h")
    assert -1 == beside(bar("2026-11-27T10:30"), others, "2h")


def test_days_are_compared_by_trading_day() -> None:
    """A future's Friday opens on Thursday evening and belongs beside a share's Friday."""
    evenings = [
        bar("2026-11-25T23:00", "2026-11-26"),
        bar("2026-11-26T23:00", "2026-11-27"),
    ]
    days = [bar(f"2026-11-{day}T14:30", f"2026-11-{day}") for day in (25, 26, 27)]
    assert [[-1, 0, 1]] == called(MODULE, "indexesBeside", (days, evenings, "1d"))
    assert 1 == beside(bar("2026-11-27T00:00"), evenings, "1d")  # its calendar is not known


def test_weeks_and_months_may_begin_on_other_days() -> None:
    """A week that a holiday shortens is beside the whole one; so is a month."""
    weeks = [bar("2026-01-12T14:30", "2026-01-12"), bar("2026-01-20T14:30", "2026-01-20")]
    assert 1 == beside(bar("2026-01-19T00:00", "2026-01-19"), weeks, "1w")
    months = [bar("2026-01-02T14:30", "2026-01-02"), bar("2026-02-02T14:30", "2026-02-02")]
    assert 1 == beside(bar("2026-02-01T00:00", "2026-02-01"), months, "1M")


def test_per_cents_of_a_compared_symbol_count_from_its_first_bar_in_view() -> None:
    """It may begin later than the chart; without later bars there is none."""
    others = [bar("2026-11-27T10:02"), bar("2026-11-27T10:03")]
    calls = [(bar(f"2026-11-27T10:0{minute}"), others, "1m") for minute in (0, 2, 5)]
    first, same, none = called(MODULE, "firstBeside", *calls)
    assert (others[0], others[0], None) == (first, same, none)
