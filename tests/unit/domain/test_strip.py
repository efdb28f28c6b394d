"""A series as few parts of one state each."""

import pytest

from pocketquant.domain.coverage import Coverage, CoverageState, Covered
from pocketquant.domain.strip import StripPart, StripState, strip_of

COMPLETE, LIMITED = CoverageState.COMPLETE, CoverageState.LIMITED


def parts(
    coverage: Coverage, until: int, *damaged: tuple[int, int], n_cells: int = 10
) -> list[tuple[int, int, str]]:
    found = strip_of(coverage, damaged, until, n_cells)
    return [(each.start, each.end, each.state.value) for each in found]


def covered(*ranges: tuple[int, int], state: CoverageState = COMPLETE) -> Coverage:
    return Coverage(tuple(Covered(*each, state, 0) for each in ranges))


def test_parts_of_one_state_are_one() -> None:
    """From the first fetched moment until now; without a fetch there is none."""
    assert [] == parts(Coverage(), 1000)
    assert [(0, 1000, "complete")] == parts(covered((0, 500), (500, 1000)), 1000)
    assert [StripPart(0, 1000, StripState.COMPLETE)] == strip_of(covered((0, 1000)), [], 900, 10)


def test_each_state_has_its_part() -> None:
    """Bars that are not served, multiplied, complete, never fetched, lost, and those to come."""
    limited = Coverage(
        (
            Covered(0, 200, LIMITED, 0),
            Covered(200, 300, CoverageState.RESCALED, 0),
            *(Covered(*each, COMPLETE, 0) for each in ((300, 400), (500, 800))),
        )
    )
    assert [
        (0, 200, "not_served"),
        (200, 300, "rescaled"),
        (300, 400, "complete"),
        (400, 500, "not_fetched"),
        (500, 600, "complete"),
        (600, 800, "lost"),
        (800, 1000, "not_synced"),
    ] == parts(limited, 1000, (-100, -50), (600, 900))


@pytest.mark.parametrize("gap", [(449, 450), (449, 451), (401, 499)])
def test_a_short_hole_fills_the_cells_that_it_touches(gap: tuple[int, int]) -> None:
    """So it can be seen; the worst state of a cell is its own."""
    holed = covered((0, gap[0]), (gap[1], 1000))
    assert [
        (0, 400, "complete"),
        (400, 500, "not_fetched"),
        (500, 1000, "complete"),
    ] == parts(holed, 1000, (440, 460))[:3]
    assert 3 == len(parts(holed, 1000))
    assert [(0, 1000, "not_fetched")] == parts(holed, 1000, n_cells=1)
