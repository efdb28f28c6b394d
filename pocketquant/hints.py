"""Texts for people at the start of a program: commands as they work here, errors of settings."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pocketquant.domain.errors import InvalidSettings

_NAME = "pocketquant"


def as_typed(text: str) -> str:
    """Write commands in backticks, such as `pocketquant jobs`, by path if none is on PATH."""
    program = sys.argv[0]
    if shutil.which(_NAME) or Path(program).name != _NAME:
        return text
    return text.replace(f"`{_NAME} ", f"`{program} ")


@contextmanager
def wrong_settings_in_one_line(exit_code: int = 1) -> Iterator[None]:
    """End the program with one line, not a traceback, if the block finds settings wrong."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        message = problems_text(error.errors(include_input=False))
    except InvalidSettings as error:
        message = as_typed(str(error))
    else:
        return
    sys.stderr.write(f"{_NAME}: {message}\n")
    sys.exit(exit_code)


def problems_text(problems: list[Any]) -> str:
    """Return pydantic's problems with settings as one line, each with the name of its setting."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])).upper() or 'settings'}: {problem['msg']}"
        for problem in problems
    )
