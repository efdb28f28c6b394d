"""The guides: each command works, and responds as the page shows."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from pocketquant.domain.errors import PocketQuantError
from tests.e2e.guides import RESPONSES, RUN, SHOWN_ONLY, Block, Reader, blocks_of
from web.errors import STATUS_OF

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]

DOCKER = "there is no Docker engine here; the compose file has its own test"
ANOTHER_TEST = "runs in a test of its own: "
FOR_EVER = "it runs until it is stopped; other tests start and stop it"
# Blocks that are not run, by page and first line, with the reason.
NOT_RUN = {
    ("README.md", "make demo     # the whole platform on private servers and a simulated market;"
     " no account, no Docker"): ANOTHER_TEST + "test_demo; and this is `make test`",
    ("README.md", "make up                                  # all processes, data kept in"
     " .pocketquant/"): ANOTHER_TEST + "test_up",
    ("CONTRIBUTING.md", "make setup    # .venv with everything"): "this is `make check`",
    ("index.md", "python3 -m venv ~/pq"): ANOTHER_TEST + "from an empty environment",
    ("index.md", "make up"): ANOTHER_TEST + "test_up",
    ("index.md", "pocketquant simulate --port 8765 --http-port 8766"): FOR_EVER,
    ("README.md", "pocketquant watch NASDAQ:AAPL BINANCE:BTCUSDT       # a table in the terminal;"
     " --json for pipes"): FOR_EVER,
    ("commands.md", "pocketquant jobs pause $job     # while it runs"): ANOTHER_TEST
    + "test_a_job_is_paused_and_resumed",
    ("rest.md", "curl -X POST http://127.0.0.1:8000/api/v1/jobs/$backfill/pause"
     "     # while it runs"): ANOTHER_TEST + "test_backfill_api",
    ("commands.md", "pocketquant watch NASDAQ:AAPL BINANCE:BTCUSDT"): FOR_EVER,
    ("scaling.md", "pocketquant worker --slots 32"): FOR_EVER,
    ("scaling.md", "pocketquant worker --queues interactive --slots 4"): FOR_EVER,
    ("scaling.md", "pocketquant streamer"): FOR_EVER,
    ("keeping.md", 'mongodump --uri "$MONGODB_URL" --db pocketquant --gzip'
     " --archive=pocketquant.gz"): "mongodump is in no package that could be installed here",
    ("operating.md", "pocketquant up --detach          # returns once it serves; exits with 1"
     " and says why if it does not"): ANOTHER_TEST + "test_up",
    ("operating.md", "cp .env.example .env                                     # choose"
     " FLOWER_PASSWORD"): DOCKER,
}  # fmt: skip


@pytest.fixture(scope="module")
def machine(start_platform: Callable[..., AbstractContextManager[Any]]) -> Iterator[Any]:
    """One platform with a streamer, for all guides."""
    with start_platform(without=frozenset({"flower", "interactive"})) as platform:
        yield platform


@pytest.fixture
def reader(machine: Any, tmp_path: Path) -> Reader:
    """A reader in an empty folder, with the settings of the platform."""
    machine.pause_schedules()  # a page may have resumed a schedule
    settings = psutil.Process(machine.supervisord).environ()
    names = {
        "http://127.0.0.1:8000": machine.url,
        "http://127.0.0.1:8001": machine.push_url,
        "http://10.0.0.5:8000": machine.url,
        "mongodb://127.0.0.1:27017": settings["MONGODB_URL"],
    }
    return Reader(tmp_path, settings, names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_work(page: Path, reader: Reader) -> None:
    """All blocks of the page run in order, each with the response that is shown."""
    reader.read([block for block in blocks_of(page) if block.name not in NOT_RUN])


@pytest.mark.timeout(900)  # the packages may have to come from far away
def test_from_an_empty_environment_to_a_dataframe(
    machine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick start works in a fresh environment and a copy of the checkout."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PIP_NO_COMPILE", "0")  # makes pip skip compiling: half the time
    checkout, home = tmp_path / "checkout", tmp_path / "pq"
    files = _copy_of_the_checkout(checkout)
    names = {"~/pq": str(home), "http://127.0.0.1:8000": machine.url}
    blocks = blocks_of(TOP / "docs" / "index.md")
    shell, python = (next(one for one in blocks if one.language == kind) for kind in RUN)

    Reader(checkout, os.environ, names).read([shell])
    program = python.text.replace("http://127.0.0.1:8000", machine.url)
    script = f"{program}\nimport web; print(len(frame), web.__file__)"
    lines = _output(home / "bin" / "python", "-c", script).splitlines()
    count, web = lines[-1].split()
    assert machine.status_of("NASDAQ:AAPL")["bar_count"] == int(count) >= 500
    installed = Path(web).parents[1]
    assert home in installed.parents
    assert ["open", "high", "low", "close", "volume"] == lines[0].split()
    assert set() == {name for name in files if not (installed / name).exists()}
    assert "doctor" in _output(home / "bin" / "pocketquant", "--help")


def test_every_block_is_run_or_listed() -> None:
    """A block is run, or a response, or listed in NOT_RUN, or of a language that is only shown."""
    blocks = [block for page in PAGES for block in blocks_of(page)]
    assert set() == {block.language for block in blocks} - {*RUN, *RESPONSES, *SHOWN_ONLY}
    assert set() == set(NOT_RUN) - {block.name for block in blocks if block.language in RUN}


def test_every_response_belongs_to_a_command_that_is_run() -> None:
    """Otherwise an outdated response would not be noticed."""
    pairs = (pair for page in PAGES for pair in pairwise(blocks_of(page)))
    unchecked = {
        after.name
        for before, after in pairs
        if after.language in RESPONSES and (before.language != "sh" or before.name in NOT_RUN)
    }
    assert set() == unchecked


def test_every_link_to_a_file_of_the_checkout_leads_somewhere() -> None:
    """Links of the pages at the top; the build of the site checks those of docs/."""
    for page in TOP.glob("*.md"):
        targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        assert [] == [target for target in targets if not (TOP / target).exists()], page.name


def test_every_call_of_the_api_has_its_example(machine: Any) -> None:
    """REST by example has a curl command for it."""
    calls = _calls(blocks_of(TOP / "docs" / "rest.md"))
    document = machine.get("/api/v1/openapi.json").body
    wanted = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations.keys() & {"get", "post", "put", "patch", "delete"}
    }
    assert set() == {
        (method, path)
        for method, path in wanted
        if not any(method == called and _matches(path, url) for called, url in calls)
    }


def test_every_code_of_an_error_is_explained_with_its_status() -> None:
    """The table of Troubleshooting has the code with its status."""
    page = (TOP / "docs" / "troubleshooting.md").read_text()
    documented = {
        code: int(status)
        for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) ", page, re.MULTILINE)
    }
    assert {kind.code: _status(kind) for kind in _family(PocketQuantError)} == documented


def test_every_collection_and_index_is_named(machine: Any) -> None:
    """Reading the database has its name."""
    page = (TOP / "docs" / "database.md").read_text()
    mongo = machine.mongo
    there = {
        index for name in mongo.list_collection_names() for index in mongo[name].index_information()
    }
    names = {*mongo.list_collection_names(), *there} - {"_id_"}
    assert set() == {name for name in names if f"`{name}`" not in page}


def _copy_of_the_checkout(folder: Path) -> list[str]:
    """Copy the checkout without build products, and return the files of its packages."""
    made = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    shutil.copytree(TOP, folder, ignore=made)
    packages = (folder / name for name in ("pocketquant", "web", "workers"))
    files = (file for package in packages for file in package.rglob("*") if file.is_file())
    return [str(file.relative_to(folder)) for file in files]


def _output(*command: object) -> str:
    """Run a program outside any checkout, and return its output."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd="/", check=True, capture_output=True, text=True)
    return done.stdout


def _family(kind: type[PocketQuantError]) -> list[type[PocketQuantError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _family(child))]


def _status(kind: type[PocketQuantError]) -> int:
    return next(STATUS_OF[each].value for each in kind.__mro__ if each in STATUS_OF)


def _calls(blocks: list[Block]) -> set[tuple[str, str]]:
    """Return method and path of each curl command."""
    shell = "\n".join(block.text for block in blocks if block.language == "sh")
    commands = shell.replace("\\\n", " ").splitlines()
    pattern = re.compile(r"(?:curl|^page=).*?http://127\.0\.0\.1:800\d(/[^?\s'\"]+)")
    found = ((command, pattern.search(command)) for command in commands)
    return {(_method(command), match[1]) for command, match in found if match}


def _method(command: str) -> str:
    named = re.search(r"-X (\w+)", command)
    return named[1] if named else "GET"


def _matches(path: str, url: str) -> bool:
    return bool(re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), url))
