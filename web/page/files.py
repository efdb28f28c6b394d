"""The page's files, read once by each process, whole and compressed."""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_DOCUMENT = "index.html"
_VERSION_MARK = b"{version}"


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file as it is sent."""

    content_type: str
    body: bytes
    gzipped: bytes

    @classmethod
    def of(cls, name: str, body: bytes) -> "PageFile":
        return cls(_TYPES[_suffix(name)], body, gzip.compress(body, mtime=0))


@dataclass(frozen=True, slots=True)
class PageFiles:
    """The document, and all other files by their path below its folder.

    `version` changes with any of them and is part of their URLs, so browsers may keep them.
    """

    version: str
    document: PageFile
    others: Mapping[str, PageFile]


@cache
def page_files() -> PageFiles:
    found = dict(_read(files(__package__), ""))
    version = hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]
    document = found.pop(_DOCUMENT).replace(_VERSION_MARK, version.encode())
    others = {name: PageFile.of(name, body) for name, body in found.items()}
    return PageFiles(version, PageFile.of(_DOCUMENT, document), others)


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _read(entry, f"{name}/")
        elif _suffix(name) in _TYPES:
            yield name, entry.read_bytes()


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
