"""Read files of symbols that people have written."""

import sys
from pathlib import Path

import click

from pocketquant.domain.errors import InvalidSymbol
from pocketquant.domain.symbols import Symbol


def read_symbols(source: Path) -> list[str]:
    """Return the symbols of a file, or of standard input for `-`.

    click.UsageError for a file that cannot be read, or the first word that is no symbol.
    """
    try:
        text = sys.stdin.read() if str(source) == "-" else source.read_text("utf-8")
    except FileNotFoundError:
        raise click.UsageError(f"there is no file {source}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{source} cannot be read: {error}") from error
    return symbols_of(text, str(source))


def symbols_of(text: str, name: str) -> list[str]:
    """Return the symbols of a text, separated by spaces, commas or semicolons.

    The rest of a line after `#` is a comment. `name` names the text in errors.
    """
    found: list[str] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        for word in line.partition("#")[0].replace(",", " ").replace(";", " ").split():
            try:
                found.append(str(Symbol.parse(word.strip("\"'"))))
            except InvalidSymbol as error:
                raise click.UsageError(f"{name}, line {number}: {error}") from error
    return found
