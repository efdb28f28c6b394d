"""Completion in bash, which divides a word such as NASDAQ:AAPL at its colon into three."""

import os
from itertools import pairwise
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, split_arg_string


class ColonBashComplete(BashComplete):
    """Puts divided words together again, and answers with the part that bash replaces."""

    _typed = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the whole words before the cursor, and the one that is being typed."""
        count = int(os.environ["COMP_CWORD"]) + 1  # noqa: TID251  # of bash, no setting
        words = split_arg_string(os.environ["COMP_WORDS"])[:count]  # noqa: TID251
        if len(words) < count:
            words.append("")
        _, *before, self._typed = _joined(words)
        return before, self._typed

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return a completion without what bash takes for words before it."""
        before, colon, _ = self._typed.rpartition(":")
        return f"{item.type},{item.value[len(before + colon) :]}"


def _joined(words: list[str]) -> list[str]:
    joined: list[str] = []
    for before, word in pairwise(["", *words]):
        if joined and ":" in (before, word):
            joined[-1] += word
        else:
            joined.append(word)
    return joined
