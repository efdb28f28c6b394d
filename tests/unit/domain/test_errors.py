"""The error tree."""

from itertools import chain

import pytest

from pocketquant.domain import errors
from pocketquant.domain.errors import InternalError, PocketQuantError, error_named


def _tree(kind: type[PocketQuantError]) -> list[type[PocketQuantError]]:
    return [kind, *chain.from_iterable(_tree(child) for child in kind.__subclasses__())]


KINDS = _tree(PocketQuantError)


def test_every_code_belongs_to_one_error() -> None:
    """A code names one class."""
    codes = [kind.code for kind in KINDS]
    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_reads_back_from_its_code(kind: type[PocketQuantError]) -> None:
    """A stored code and message become the same error again."""
    again = error_named(kind.code, "why")
    assert (kind, "why") == (type(again), str(again))


def test_an_unknown_code_is_an_internal_error() -> None:
    """A code of another version does not raise."""
    assert InternalError is type(error_named("of_the_future", "why"))


def test_the_docstring_draws_the_tree() -> None:
    """The module's picture shows every error, and the code of each one that is raised."""
    lines = [line for line in (errors.__doc__ or "").splitlines() if "──" in line]
    drawn = [line.strip(" │├└─").replace(":", "").split() for line in lines]
    assert {kind.__name__ for kind in KINDS[1:]} == {words[0] for words in drawn}
    leaves = {kind.__name__: kind.code for kind in KINDS if not kind.__subclasses__()}
    assert leaves == {words[0]: words[1] for words in drawn if words[0] in leaves}
