"""The plan of a chaos run depends on its seed only, and its failures end in time."""

from itertools import pairwise

import pytest

from tests.chaos.plan import MONGODS, Ask, Harm, Plan, Trouble, draw

PROGRAMS = {"worker": ("worker-0", "worker-1"), "beat": ("beat-0", "beat-1")}
SEEDS = range(20)
SECONDS = 360.0


def plans() -> list[Plan]:
    return [draw(seed, SECONDS, PROGRAMS) for seed in SEEDS]


def test_a_seed_gives_one_plan_and_another_seed_another() -> None:
    """So a failed run can be repeated."""
    assert draw(7, SECONDS, PROGRAMS) == draw(7, SECONDS, PROGRAMS)
    assert draw(7, SECONDS, PROGRAMS) != draw(8, SECONDS, PROGRAMS)


@pytest.mark.parametrize("plan", plans())
def test_all_begins_in_order_and_every_trouble_ends_in_time(plan: Plan) -> None:
    """The runner need not sort the plan, and has finished when the time is over."""
    for steps in (plan.acts, plan.troubles):
        assert sorted(step.at for step in steps) == [step.at for step in steps]
    assert max(trouble.at + trouble.seconds for trouble in plan.troubles) <= SECONDS


@pytest.mark.parametrize("plan", plans())
def test_an_act_about_a_job_follows_the_act_that_submits_it(plan: Plan) -> None:
    """Users only cancel and retry submitted jobs."""
    acts = {act.number: act for act in plan.acts}
    for act in plan.acts:
        if act.about is not None:
            assert acts[act.about].ask is Ask.BULK
            assert acts[act.about].at <= act.at


@pytest.mark.parametrize("group", [PROGRAMS["worker"], (*MONGODS, "primary"), ("redis",)])
def test_troubles_of_one_group_follow_each_other(group: tuple[str, ...]) -> None:
    """A killed process is not also frozen, so that the end of one failure does not end another."""
    for plan in plans():
        theirs = [trouble for trouble in plan.troubles if set(trouble.targets) <= set(group)]
        assert len(theirs) > 1
        for before, after in pairwise(theirs):
            assert before.at + before.seconds <= after.at


def test_many_seeds_contain_every_kind_of_failure() -> None:
    """Also failures of the primary, and of two members at once."""
    troubles = [trouble for plan in plans() for trouble in plan.troubles]
    assert set(Harm) == {trouble.harm for trouble in troubles}
    assert {1, 2} == {len(trouble.targets) for trouble in troubles if _is_of_mongo(trouble)}
    assert set(Ask) == {act.ask for plan in plans() for act in plan.acts}


def _is_of_mongo(trouble: Trouble) -> bool:
    return set(trouble.targets) <= {*MONGODS, "primary"}
