"""The limits of a plan, read from its name."""

import pytest

from pocketquant.domain.plans import AccountPlan, BarLimit, plan_named


@pytest.mark.parametrize(
    ("name", "most_bars"),
    [
        ("pro", 10_000),
        ("pro_plus", 10_000),
        ("pro_premium", 20_000),
        ("PRO_PREMIUM_EXPERT", 25_000),
        ("pro_premium_ultimate", 40_000),
        ("something new", None),
    ],
)
def test_the_bars_of_a_plan(name: str, most_bars: int | None) -> None:
    """A plan has the bars of the highest level in its name; an unknown one has none known."""
    assert AccountPlan(name, most_bars, 50) == plan_named(name, 50)


def test_a_limit_that_was_met_counts_more_than_reports() -> None:
    """Both are named in words; of an unknown plan there are none."""
    premium = plan_named("pro_premium")
    assert BarLimit(met=19_999) == premium.bar_limit(19_999)
    assert BarLimit(reported=20_000) == premium.bar_limit(None)
    assert "19999 bars of a series below a day, as a sync has met" == str(premium.bar_limit(19_999))
    assert "20000 bars of a series below a day" == str(premium.bar_limit(None))
    assert "" == str(plan_named("new").bar_limit(None))
