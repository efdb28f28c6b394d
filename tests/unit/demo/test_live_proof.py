"""Live bars are compared with the exchange's own bars."""

from typing import Any

import pytest

from pocketquant.demo.live_proof import Compared, ProofWindow, compare, verdict
from pocketquant.domain.intervals import Interval

Json = dict[str, Any]

WINDOW = ProofWindow("A:B", Interval.M1, 0, 180, 180)


def answer(closes: dict[int, float], live: int = 0, partial: tuple[int, ...] = ()) -> Json:
    """Return flat bars of 1970, by minute."""
    fields = ("open", "high", "low", "close")
    return {
        "data": [
            {"datetime": moment(minute), **dict.fromkeys(fields, close), "volume": 1.0}
            for minute, close in closes.items()
        ],
        "live": {"count": live, "partial": [moment(minute) for minute in partial]},
    }


def moment(minute: int) -> str:
    return f"1970-01-01T00:{minute:02d}:00Z"


@pytest.mark.parametrize(
    ("before", "equal", "differing"),
    [
        (answer({0: 1.0, 1: 2.0, 2: 3.0}, live=3), 3, []),
        (answer({0: 1.0, 1: 2.0, 2: 3.0}, live=2), 2, []),
        (answer({0: 1.0, 1: 2.0, 2: 3.0}, live=0), 0, []),
        (answer({0: 1.0, 1: 9.0, 2: 3.0}, live=3, partial=(1,)), 2, []),
        (answer({0: 1.0, 1: 9.0, 2: 3.0}, live=3), 2, [1]),
        (answer({0: 9.0, 1: 2.0, 2: 3.0}, live=2), 2, [0]),
        (answer({0: 1.0, 2: 3.0}, live=2), 2, [1]),
        (answer({0: 1.0, 1: 2.0}, live=2), 2, [2]),
        (answer({}), 0, [0, 1, 2]),
        (answer({0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}, live=4), 3, [3]),
    ],
)
def test_answers_before_and_after_a_sync(before: Json, equal: int, differing: list[int]) -> None:
    """Complete live bars are counted; each bar that differs, is missing or is extra is reported."""
    compared = compare(WINDOW, before, answer({0: 1.0, 1: 2.0, 2: 3.0}))
    assert (equal, 0) == (compared.equal, compared.left)
    assert [f"A:B 1m {moment(minute)}" for minute in differing] == [
        text.partition(": ")[0] for text in compared.differing
    ]


def test_differences_are_described() -> None:
    """A difference shows both bars, or that one is missing."""
    compared = compare(WINDOW, answer({0: 1.0}, live=1), answer({0: 2.0, 1: 3.0}, live=1))
    assert compared.differing == (
        "A:B 1m 1970-01-01T00:00:00Z: 1.0/1.0/1.0/1.0/1.0, the exchange's own: 2.0/2.0/2.0/2.0/1.0",
        "A:B 1m 1970-01-01T00:01:00Z: missing, the exchange's own: 3.0/3.0/3.0/3.0/1.0",
    )
    assert 1 == compared.left


def test_a_verdict() -> None:
    """The result of an interval is one line."""
    compared = [
        Compared(WINDOW, 3, (), 0),
        Compared(WINDOW, 1, ("one",), 2),
        Compared(WINDOW._replace(interval=Interval.M3), 7, (), 0),
    ]
    assert (
        "4 closed live 1m bars of 2 symbols equal the exchange's own, 1 differ;"
        " after the sync 2 live bars are left, the answer has CHANGED"
    ) == verdict(Interval.M1, compared)
    assert (
        "7 closed live 3m bars of 1 symbols equal the exchange's own, 0 differ;"
        " after the sync 0 live bars are left, the answer is unchanged"
    ) == verdict(Interval.M3, compared)
