"""Calls functions of the page's modules that need no browser, with node."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import web.page

_FOLDER = Path(web.page.__file__).parent
_SCRIPT = """
const [module, name, text] = process.argv.slice(1);
const found = await import(module);
console.log(JSON.stringify(JSON.parse(text).map((given) => found[name](...given) ?? null)));
"""


def called(module: str, name: str, *calls: tuple[object, ...]) -> list[Any]:
    """Return what an exported function returns for each tuple of arguments."""
    node = shutil.which("node")
    if not node and "CI" not in os.environ:
        pytest.skip("node is not installed")
    assert node, "node is not installed"
    given = (str(_FOLDER / module), name, json.dumps(calls))
    ran = subprocess.run(
        [node, "--input-type=module", "--eval", _SCRIPT, *given],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == ran.returncode, ran.stderr
    answers: list[Any] = json.loads(ran.stdout)
    return answers
