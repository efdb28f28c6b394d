"""Copies the libraries of the browser's page from npm into web/page/vendor (`make page-libraries`).

Versions and hashes are pinned here. The files import each other by the names of their packages;
browsers need paths, so these names are replaced.
"""

import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

_VENDOR = Path(__file__).parents[1] / "web" / "page" / "vendor"
_IMPORT = re.compile(r'(from ?)"([^"]+)"')
_SOURCE_MAP = re.compile(r"\n?//# sourceMappingURL=\S+")


@dataclass(frozen=True, slots=True)
class Library:
    """An npm package, the sha512 of its archive, and the files taken from it by their new names."""

    package: str
    version: str
    integrity: str
    files: dict[str, str]

    @property
    def name(self) -> str:
        """The package with its version, as npm takes it."""
        return f"{self.package}@{self.version}"


LIBRARIES = (
    Library(
        "lightweight-charts",
        "5.2.1",
        "IVwoK1RLFiLPubaKIjNbtjWLnpPMqiABSrTay6whmNa8L1+19292VtHJ+BWyPUuLCwF0tcQlhEWd1CLB2a1nsQ==",
        {"lightweight-charts.js": "dist/lightweight-charts.standalone.production.mjs"},
    ),
    Library(
        "preact",
        "11.2.0",
        "/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        {"preact.js": "dist/preact.mjs", "hooks.js": "hooks/dist/hooks.mjs"},
    ),
    Library(
        "htm",
        "3.1.1",
        "983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"htm.js": "dist/htm.mjs"},
    ),
    Library(
        "@preact/signals",
        "2.11.4",
        "Rb+5RPo9gWSaHtzJeauhHxiC8KP/IF2DEPkHPEOGOnuy2wnJzRqyeLRankUCYd6ADqtxS6GnWGv6Ie343d8aYw==",
        {"signals.js": "dist/signals.mjs"},
    ),
    Library(
        "@preact/signals-core",
        "1.14.5",
        "vcRv7Ityz5JVmeiVqIluLFzT/PDS/AlhHUpw3/aUWqcVUs6bDGIPXE/6RSC4evBNWYvnniozg5Syfj33al3gkg==",
        {"signals-core.js": "dist/signals-core.mjs"},
    ),
)
_PATHS = {
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals-core.js",
}


def copy_libraries(target: Path) -> None:
    """Copy the files of all libraries, and their licences as one file."""
    target.mkdir(exist_ok=True)
    licences = []
    for library in LIBRARIES:
        with tempfile.TemporaryDirectory() as folder, _archive(library, Path(folder)) as archive:
            for name, path in library.files.items():
                (target / name).write_text(_with_paths(_text(archive, path)))
            licence = _text(archive, "LICENSE").strip()
        licences.append(f"{library.name}\n{'=' * len(library.name)}\n\n{licence}\n")
    (target / "licences.txt").write_text("\n\n".join(licences))


def _archive(library: Library, folder: Path) -> tarfile.TarFile:
    """Fetch the package's archive; exit if it is not the pinned one."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), library.name]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (path,) = folder.iterdir()
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if digest != library.integrity:
        raise SystemExit(f"{library.name} has another hash than the pinned one: {digest}")
    return tarfile.open(path)


def _text(archive: tarfile.TarFile, path: str) -> str:
    member = archive.extractfile(f"package/{path}")
    assert member  # noqa: S101  # a folder has none, and no library names one
    return member.read().decode()


def _with_paths(source: str) -> str:
    """Replace the names of packages by paths, and drop the source map, which is not copied."""
    with_paths = _IMPORT.sub(lambda found: f'{found[1]}"{_PATHS[found[2]]}"', source)
    return _SOURCE_MAP.sub("", with_paths)


if __name__ == "__main__":
    if "--names" in sys.argv:
        sys.stdout.write(" ".join(library.name for library in LIBRARIES) + "\n")
    else:
        copy_libraries(_VENDOR)
