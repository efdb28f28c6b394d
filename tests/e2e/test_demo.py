"""The demo, run as the README says."""

import subprocess
import sys
from pathlib import Path

import psutil

POCKETQUANT = str(Path(sys.executable).parent / "pocketquant")


def test_the_demo_syncs_thirty_series_and_leaves_nothing_behind() -> None:
    """`pocketquant demo --once` exits 0 with its table, and every process it started has ended."""
    before = set(psutil.pids())
    demo = subprocess.run(
        [POCKETQUANT, "demo", "--once"], capture_output=True, text=True, timeout=240, check=False
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "SP:SPX 1d" in demo.stdout
    assert demo.stdout.count("completed") >= 30
    left = [
        " ".join(process.cmdline())
        for process in psutil.process_iter()
        if process.pid not in before and "pocketquant-demo-" in " ".join(process.cmdline())
    ]
    assert left == []
