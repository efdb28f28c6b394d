"""Auth tokens expire."""

import pytest

from pocketquant.simulator.wire.tokens import VALID_SECONDS, is_good, issue

NOW = 1_763_480_420


def test_a_token_is_good_for_four_hours() -> None:
    """A token is valid for four hours and no second longer."""
    token = issue(7, NOW)
    assert is_good(token, NOW + VALID_SECONDS - 1)
    assert not is_good(token, NOW + VALID_SECONDS)


def test_a_token_may_be_shorter_lived() -> None:
    """A token may be issued for a shorter time."""
    assert not is_good(issue(7, NOW, 1), NOW + 1)


@pytest.mark.parametrize("token", ["", "a.b.c", "ü.ü.ü", issue(7, NOW)[:-2], issue(7, NOW) + "x"])
def test_other_tokens_are_invalid(token: str) -> None:
    """A token that no simulator issued is invalid."""
    assert not is_good(token, NOW)
