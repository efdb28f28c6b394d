"""Commands that texts for people name, as they work where the user stands."""

import shutil
import sys
from pathlib import Path

_NAME = "pocketquant"


def as_typed(text: str) -> str:
    """Write commands in backticks, such as `pocketquant jobs`, by path if none is on PATH."""
    program = sys.argv[0]
    if shutil.which(_NAME) or Path(program).name != _NAME:
        return text
    return text.replace(f"`{_NAME} ", f"`{program} ")
