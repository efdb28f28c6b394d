"""Answers kept in the process."""

from web.bars.local_cache import Copies


def test_a_copy_is_valid_under_its_token_only() -> None:
    """A copy under another token is not returned."""
    copies = Copies(100)
    copies.keep("query", b"token", b"answer", 6)
    assert b"answer" == copies.get("query", b"token")
    assert copies.get("query", b"other") is None
    assert copies.get("unknown", b"token") is None


def test_a_newer_copy_replaces_the_older() -> None:
    """There is one copy a query, whose bytes are counted once."""
    copies = Copies(10)
    for token in (b"1", b"2", b"3"):
        copies.keep("query", token, b"x" * 10, 10)
    assert b"x" * 10 == copies.get("query", b"3")
    assert copies.get("query", b"2") is None


def test_the_least_recently_used_copy_is_removed_first() -> None:
    """The bytes of all copies have a limit."""
    copies = Copies(10)
    copies.keep("old", b"t", b"12345", 5)
    copies.keep("older", b"t", b"12345", 5)
    copies.get("old", b"t")
    copies.keep("new", b"t", b"12345", 5)
    kept = [name for name in ("old", "older", "new") if copies.get(name, b"t")]
    assert ["old", "new"] == kept


def test_an_answer_over_the_limit_is_not_kept() -> None:
    """It would remove all others."""
    copies = Copies(10)
    copies.keep("big", b"t", b"x" * 11, 11)
    assert copies.get("big", b"t") is None
