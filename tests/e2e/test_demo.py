"""The demo runs as the README says."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

POCKETQUANT = str(Path(sys.executable).parent / "pocketquant")


def test_the_demo_shows_the_platform_and_leaves_nothing_behind(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """`pocketquant demo --once` exits 0 with its tables, and every process it started has ended."""
    folder = str(tmp_path_factory.mktemp("demo"))
    demo = subprocess.run(
        [POCKETQUANT, "demo", "--once"],
        env={**os.environ, "TMPDIR": folder},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "In a browser: http://127.0.0.1:" in demo.stdout
    assert "SP:SPX 1d" in demo.stdout
    assert demo.stdout.count("completed") >= 30
    for shown in ("300/300", "daily-series run now", "worker-1@", "breaker closed", "plan_job"):
        assert shown in demo.stdout
    for shown in (
        "SIM:S0004",
        "changes in 4 seconds",
        "bar of",
        "14 of 14 symbols",
        "closed markets: ",
        "1-of-1 on",
    ):
        assert shown in demo.stdout
    commands = [
        " ".join(process.info["cmdline"] or ())  # a zombie has none
        for process in psutil.process_iter(["cmdline"])
    ]
    assert [] == [each for each in commands if folder in each]
