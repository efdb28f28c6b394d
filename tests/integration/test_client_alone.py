"""The base requirements suffice for the client and the commands that call an API."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pocketquant.cli import _SECTIONS

ROOT = Path(__file__).parents[2]

_IMPORTED = """
import sys
from importlib import import_module
from pocketquant import Client
for module in sys.argv[1:]:
    import_module(module)
Client("http://127.0.0.1:9")
print("\\n".join(sys.modules))
"""


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT
    )


def closure(names: Iterable[str]) -> Iterator[str]:
    """Yield these distributions and all their requirements without extras."""
    for name in names:
        yield _normal(name)
        found = map(Requirement, requires(name) or ())
        yield from closure(each.name for each in found if _is_needed(each))


def _is_needed(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_client_and_commands_import_no_library_of_the_server() -> None:
    """Every third-party module that they import belongs to a base requirement."""
    commands = {target.partition(":")[0] for target in _SECTIONS["Use the API"].values()}
    ended = run(_IMPORTED, *(f"pocketquant.{command}" for command in sorted(commands)))
    assert "" == ended.stderr
    loaded = {module.partition(".")[0] for module in ended.stdout.split()}
    owners = packages_distributions()
    used = {_normal(owner) for module in loaded for owner in owners.get(module, ())}
    allowed = set(closure(["pocketquant"]))
    assert {"click", "requests", "pocketquant"} <= used
    assert set() == used - allowed - {"setuptools", "pip"}


@pytest.mark.parametrize(("frame", "module"), [("polars", "polars"), ("arrow", "pyarrow")])
def test_a_frame_whose_library_is_missing_names_its_extra(frame: str, module: str) -> None:
    """The error says what to install, before any request for bars."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from pocketquant import Client\n"
        f"Client('http://127.0.0.1:9').bars('A:B', frame={frame!r})"
    )
    ended = run(code)
    assert f"pip install 'pocketquant[{frame}]'" in ended.stderr.splitlines()[-1]


def test_a_parquet_file_without_its_library_names_the_extra(tmp_path: Path) -> None:
    """The command ends with one line that says what to install."""
    absent = "import sys; sys.modules['pyarrow'] = None\n"
    file = str(tmp_path / "bars.parquet")
    call = f"from pocketquant.cli import main; main(['import', 'A:B', {file!r}])"
    ended = run(absent + call)
    assert (1, 1) == (ended.returncode, len(ended.stderr.splitlines())), ended.stderr
    assert "pip install 'pocketquant[arrow]'" in ended.stderr


def test_a_command_without_its_libraries_says_what_to_install() -> None:
    """`--help` still lists it, and calling it prints one line."""
    absent = "import sys; sys.modules['celery'] = sys.modules['pymongo'] = None\n"
    call = "from pocketquant.cli import main; main(['keys', 'list', '--json'])"
    ended = run(absent + call)
    assert (1, 1) == (ended.returncode, len(ended.stderr.splitlines()))
    assert "pip install 'pocketquant[server]'" in ended.stderr
    assert 0 == run(absent + "from pocketquant.cli import main; main(['--help'])").returncode


def test_bars_have_the_type_of_their_frame(tmp_path: Path) -> None:
    """A type checker knows which frame a call returns, and the keys of other answers."""
    file = tmp_path / "typed.py"
    file.write_text(
        "from typing import assert_type\n"
        "import pandas, polars, pyarrow\n"
        "from pocketquant import Client\n"
        "from pocketquant.client.responses import JobProgress\n"
        "client = Client('http://127.0.0.1:8000')\n"
        "assert_type(client.bars('A:B'), pandas.DataFrame)\n"
        "assert_type(client.bars(['A:B'], frame='polars'), polars.DataFrame)\n"
        "assert_type(client.bars('A:B', frame='arrow'), pyarrow.Table)\n"
        "assert_type(client.jobs.get('x'), JobProgress)\n"
        "client.jobs.get('x')['cuonts']\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "setup.cfg"]
    ended = subprocess.run([*command, str(file)], capture_output=True, text=True, cwd=ROOT)
    errors = [line for line in ended.stdout.splitlines() if "typed.py" in line and "error" in line]
    assert 1 == len(errors), ended.stdout
    assert 'has no key "cuonts"' in errors[0]
