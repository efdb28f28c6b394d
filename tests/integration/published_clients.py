"""Runs clients that other people published, each in its own process and folder of packages.

`make setup` puts each into a folder of its own in `.venv`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parent / "peers"
_ENVIRONMENT = Path(sys.prefix)


def run_client(home: Path, peers: str, command: list[str], *requests: object) -> list[Any]:
    """Return the answers that a client in its own process gives to these requests."""
    folder = _ENVIRONMENT / peers
    assert folder.is_dir(), "`make setup` installs it"
    environment = {"PYTHONPATH": str(folder), "PEERS": str(folder), "HOME": str(home), "TZ": "UTC"}
    answered = subprocess.run(
        command,
        env={**os.environ, **environment},
        cwd=home,
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert 0 == answered.returncode, answered.stderr[-3000:]
    answers: list[Any] = json.loads(answered.stdout)
    return answers


def need_node(peers: str) -> None:
    """Skip the test where node and its packages are not installed, except in CI."""
    if not (shutil.which("node") and (_ENVIRONMENT / peers).is_dir()) and "CI" not in os.environ:
        pytest.skip("node is not installed, or was not when `make setup` ran")
