"""Files of symbols, as people write them."""

import sys
from pathlib import Path

import click

from pocketquant.domain.errors import InvalidSymbol
from pocketquant.domain.symbols import Symbol


def read_symbols(source: Path) -> list[str]:
    """The symbols of a file, `-` for standard input; click.UsageError tells what is none."""
    try:
        text = sys.stdin.read() if str(source) == "-" else source.read_text("utf-8")
    except FileNotFoundError:
        raise click.UsageError(f"there is no file {source}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{source} cannot be read: {error}") from error
    return symbols_of(text, str(source))


def symbols_of(text: str, name: str) -> list[str]:
    """The symbols of a text: spaces and commas between them, comments after `#`."""
    found: list[str] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        for word in line.partition("#")[0].replace(",", " ").replace(";", " ").split():
            try:
                found.append(str(Symbol.parse(word.strip("\"'"))))
            except InvalidSymbol as error:
                raise click.UsageError(f"{name}, line {number}: {error}") from error
    return found
