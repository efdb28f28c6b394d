"""The limits of a plan, read from its name."""

import pytest

from pocketquant.domain.plans import AccountPlan, plan_named


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
