"""Which symbols a flush writes, and what is left after it succeeded or failed."""

from pocketquant.live.pending_writes import PendingWrites

KNOWN = {"A", "B", "C"}


def flushed(pending: PendingWrites, is_renewal: bool = False) -> set[str]:
    """The due symbols of a flush that succeeds."""
    changes = pending.begin(KNOWN, is_renewal)
    pending.finish(changes, (), is_renewal)
    return set(changes.due)


def test_a_flush_writes_changed_symbols_that_have_a_quote() -> None:
    """Each with the parts that have changed."""
    pending = PendingWrites(whole={"A"}, news={"B", "D"}, closed={"C"})
    changes = pending.begin(KNOWN, is_renewal=False)
    assert KNOWN == changes.due
    assert [True, True, False] == [changes.is_news(each) for each in "ABC"]
    assert [True, False, True] == [changes.has_closed(each) for each in "ABC"]


def test_a_written_change_is_not_written_again() -> None:
    """A symbol that is forgotten leaves the board once."""
    pending = PendingWrites(whole={"A"}, news={"B"}, closed={"C"}, forgotten={"D"})
    flushed(pending)
    changes = pending.begin(KNOWN, is_renewal=False)
    assert (set(), set()) == (changes.due, changes.forgotten)


def test_a_failed_flush_leaves_every_symbol_to_be_written_whole() -> None:
    """It may have written any part of the board."""
    pending = PendingWrites(news={"A"}, forgotten={"D"})
    pending.begin(KNOWN, is_renewal=False)
    changes = pending.begin(KNOWN, is_renewal=False)
    assert (KNOWN, KNOWN, {"D"}) == (changes.due, changes.whole, changes.forgotten)


def test_a_renewal_keeps_the_symbols_that_were_not_written_since_the_last_one() -> None:
    """Writing a record renews it too."""
    pending = PendingWrites()
    assert KNOWN == pending.begin(KNOWN, is_renewal=True).kept
    flushed(pending, is_renewal=True)
    pending.news.add("A")
    assert {"A"} == flushed(pending)
    pending.news.add("B")
    changes = pending.begin(KNOWN, is_renewal=True)
    assert ({"B"}, {"C"}) == (changes.due, changes.kept)


def test_an_expired_symbol_is_written_whole() -> None:
    """Its records cannot be renewed."""
    pending = PendingWrites()
    changes = pending.begin(KNOWN, is_renewal=True)
    pending.finish(changes, ["A"], is_renewal=True)
    again = pending.begin(KNOWN, is_renewal=False)
    assert ({"A"}, True, True) == (again.due, again.is_news("A"), again.has_closed("A"))
