"""Answers kept in the process."""

from web.bars.response_cache import Copies


def test_a_copy_holds_only_under_its_token() -> None:
    """The answer of another token is as good as none."""
    copies = Copies(100)
    copies.keep("query", b"token", b"answer", 6)
    assert b"answer" == copies.get("query", b"token")
    assert copies.get("query", b"other") is None
    assert copies.get("unknown", b"token") is None


def test_a_newer_copy_takes_the_place_of_the_older() -> None:
    """One copy a query, and its bytes are counted once."""
    copies = Copies(10)
    for token in (b"1", b"2", b"3"):
        copies.keep("query", token, b"x" * 10, 10)
    assert b"x" * 10 == copies.get("query", b"3")
    assert copies.get("query", b"2") is None


def test_those_not_asked_for_longest_make_room() -> None:
    """The bytes kept have a limit."""
    copies = Copies(10)
    copies.keep("old", b"t", b"12345", 5)
    copies.keep("older", b"t", b"12345", 5)
    copies.get("old", b"t")
    copies.keep("new", b"t", b"12345", 5)
    kept = [name for name in ("old", "older", "new") if copies.get(name, b"t")]
    assert ["old", "new"] == kept


def test_an_answer_over_the_limit_is_not_kept() -> None:
    """It would push out everything else."""
    copies = Copies(10)
    copies.keep("big", b"t", b"x" * 11, 11)
    assert copies.get("big", b"t") is None
