"""The page's modules: their size, their imports, and what the document may hold."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from web.page.files import page_files

MOST_BYTES = 200_000  # of all JavaScript, compressed
# A module imports from folders to the right of its own; views do not import each other.
LAYERS = ("", "views", "chart", "parts", "data", "vendor")
IMPORT = re.compile(r"""(?<!")(?:\bfrom|\bimport\()\s*["']([^"']+)["']""")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)  # types are imported in comments
MODULES = sorted(name for name in page_files().others if name.endswith(".js"))
OURS = [name for name in MODULES if not name.startswith("vendor/")]


def folder(module: str) -> str:
    return module.rpartition("/")[0]


def imports(module: str) -> Iterator[str]:
    """Yield the modules that one imports, by their path below the page's folder."""
    source = COMMENT.sub("", page_files().others[module].body.decode())
    for path in IMPORT.findall(source):
        assert path.startswith("."), f"{module} imports {path}, which no browser can find"
        parts: list[str] = []
        for part in (PurePosixPath(folder(module)) / path).parts:
            parts = parts[:-1] if part == ".." else [*parts, part]
        yield "/".join(parts)


def test_all_scripts_together_are_small() -> None:
    """A browser loads less than 200 kB."""
    assert sum(len(page_files().others[name].gzipped) for name in MODULES) < MOST_BYTES


@pytest.mark.parametrize("module", OURS)
def test_imports_point_down(module: str) -> None:
    """Views use the chart and parts, these use data; each imported module exists."""
    layer = LAYERS.index(folder(module))
    for imported in imports(module):
        assert imported in MODULES
        lower = LAYERS.index(folder(imported))
        assert lower > layer or (lower == layer and folder(module) != "views"), imported


def test_every_module_is_used() -> None:
    """Starting from `app.js`, imports lead to all of them."""
    seen, waiting = set[str](), ["app.js"]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += imports(module)
    assert MODULES == sorted(seen)


def test_the_document_has_no_inline_script_or_style() -> None:
    """Its Content-Security-Policy would refuse them."""
    document = page_files().document.body.decode()
    assert re.findall(r"<script[^>]*>", document) == re.findall(
        r"<script[^>]* src=[^>]*>", document
    )
    assert "<style" not in document
    assert " style=" not in document
