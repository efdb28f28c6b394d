"""`PendingWrites`: which records on the quote board are out of date, and how much of each."""

from collections.abc import Collection, Set
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BoardChanges:
    """The symbols of one flush. `whole`, `news` and `closed` say how much of a due one to write.

    `kept` have not changed, but their records must not expire; `forgotten` leave the board.
    """

    due: Set[str]
    whole: Set[str]
    news: Set[str]
    closed: Set[str]
    kept: Set[str]
    forgotten: Set[str]

    def is_news(self, symbol: str) -> bool:
        """Whether to write the quote of a due symbol."""
        return symbol in self.whole or symbol in self.news

    def has_closed(self, symbol: str) -> bool:
        """Whether to write the longer bars of a due symbol."""
        return symbol in self.whole or symbol in self.closed


@dataclass(slots=True)
class PendingWrites:
    """Symbols by what has changed since the last successful flush.

    `whole`: quote and all bars must be written. `news`: the quote has changed. `closed`: a bar has
    closed, and so the longer bars or the day have changed. `forgotten`: the records must be
    deleted.
    """

    whole: set[str] = field(default_factory=set)
    news: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    _renewed: set[str] = field(default_factory=set)  # written since the last renewal

    def begin(self, known: Set[str], is_renewal: bool) -> BoardChanges:
        """The changes to write for the `known` symbols; others have no quote yet.

        Until `finish` all known symbols count as `whole`, since a failed flush may be half written.
        With `is_renewal`, symbols without a change are `kept`.
        """
        due = (self.whole | self.news | self.closed) & known
        kept = known - self._renewed - due if is_renewal else set[str]()
        whole, self.whole = self.whole, self.whole | known
        return BoardChanges(due, whole, self.news, self.closed, kept, self.forgotten)

    def finish(self, changes: BoardChanges, expired: Collection[str], is_renewal: bool) -> None:
        """Note that the changes are written; `expired` symbols had lost their records before."""
        self.whole = set(expired)
        self._renewed = set() if is_renewal else self._renewed | changes.due
        self.news.clear()
        self.closed.clear()
        self.forgotten.clear()
