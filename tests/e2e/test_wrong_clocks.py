"""Workers and beats on machines whose clocks are two days off: nothing is lost or done twice."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pocketquant.servers.connections import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

SOURCE = Path(__file__).parents[1] / "clock_shift.c"
SLOTS = 8
TWO_DAYS = 2 * 24 * 3600

Settings = dict[str, object]
Shift = Callable[[int], Settings]


@pytest.fixture(scope="module")
def bare(start_platform: Any) -> Iterator[Any]:
    """A platform whose workers and beats are started, and killed, by the tests themselves."""
    without = frozenset({"flower", "interactive", "push", "streamer", "worker", "beat"})
    with start_platform(without) as platform:
        yield platform


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Shift:
    """Return the variables that set a program's clock some seconds ahead of ours."""
    compiler = shutil.which("cc")
    if not compiler and "CI" not in os.environ:
        pytest.skip("there is no C compiler")
    assert compiler
    library = tmp_path_factory.mktemp("clock") / "clock_shift.so"
    made = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(made, check=True)
    ours = int(os.environ.get("CLOCK_SHIFT", "0"))  # as in `make hours`
    return lambda seconds: {"ld_preload": library, "clock_shift": ours + seconds}


def all_completed(total: int) -> dict[str, int]:
    nothing = dict.fromkeys(("queued", "running", "paused", "failed", "cancelled"), 0)
    return {"total": total, "completed": total, **nothing}


def clocks_ahead(platform: Any) -> list[int]:
    """How many days each worker's clock is ahead, as the fleet shows it."""
    shown = [worker["clock_ahead_seconds"] for worker in platform.fleet()["workers"]]
    return sorted(round(ahead / 86400) for ahead in shown)


@pytest.mark.parametrize("ahead", [-TWO_DAYS, TWO_DAYS])
def test_what_failed_is_tried_again_in_time(
    bare: Any,
    start_program: Any,
    start_worker: Any,
    start_simulator: Any,
    shifted: Shift,
    ahead: int,
) -> None:
    """Beat's ticks are taken though its clock and the worker's are four days apart."""
    wanted = [f"SIM:S{5000 + n + (ahead > 0) * 20:04}" for n in range(SLOTS)]
    provider = start_simulator()
    for name in wanted:
        provider.order("series_error", name, times=1)
    start_program(bare, "beat", **shifted(-ahead))
    start_worker(bare, provider, **shifted(ahead))
    job_id = bare.sync_in_bulk(wanted)
    assert all_completed(SLOTS) == bare.wait_for_job(job_id, 240)["counts"]
    assert {2} == {unit["attempt"] for unit in bare.units(job_id)}
    assert [] == bare.wrong_series(wanted)


@pytest.mark.parametrize("ahead", [-TWO_DAYS, TWO_DAYS])
def test_no_sync_is_done_twice(
    bare: Any,
    start_program: Any,
    start_worker: Any,
    start_simulator: Any,
    shifted: Shift,
    ahead: int,
) -> None:
    """Neither worker takes what the other is at, however long its lease seems to be over."""
    wanted = [f"SIM:S{5040 + n + (ahead > 0) * 40:04}" for n in range(4 * SLOTS)]
    right, wrong = start_simulator(), start_simulator()
    for provider in (right, wrong):
        provider.order("latency", None, 2.0)
    start_program(bare, "beat")
    start_worker(bare, right)
    start_worker(bare, wrong, **shifted(ahead))
    days = sorted([0, ahead // 86400])
    wait_until("both are there", lambda: days == clocks_ahead(bare), (), 240)
    job_id = bare.sync_in_bulk(wanted)
    assert all_completed(len(wanted)) == bare.wait_for_job(job_id, 240)["counts"]
    assert {1} == {unit["attempt"] for unit in bare.units(job_id)}
    shares = [provider.tally.requested.total() for provider in (right, wrong)]
    assert len(wanted) == sum(shares)
    assert min(shares) >= SLOTS // 2
    assert [] == bare.wrong_series(wanted)


@pytest.mark.parametrize("ahead", [-TWO_DAYS, TWO_DAYS])
@pytest.mark.parametrize("is_victim_wrong", [True, False])
def test_a_killed_workers_syncs_are_done_by_another(
    bare: Any,
    start_program: Any,
    start_worker: Any,
    start_simulator: Any,
    shifted: Shift,
    is_victim_wrong: bool,
    ahead: int,
) -> None:
    """Once in effect, be it the dead one whose clock was wrong or the one that follows."""
    first = 5120 + 20 * (2 * is_victim_wrong + (ahead > 0))
    wanted = [f"SIM:S{first + n:04}" for n in range(SLOTS)]
    clocks = [shifted(ahead), shifted(0)] if is_victim_wrong else [shifted(0), shifted(ahead)]
    stuck, healthy = start_simulator(), start_simulator()
    stuck.order("stall")
    start_program(bare, "beat")
    patient = {"provider_timeout_seconds": 5.5, "lease_seconds": 8.5}
    victim = start_worker(bare, stuck, **patient, **clocks[0])
    job_id = bare.sync_in_bulk(wanted)
    asked = stuck.tally.requested
    wait_until("every slot is at work", lambda: asked.total() == SLOTS, (), 240)
    victim.kill()
    start_worker(bare, healthy, **clocks[1])
    assert all_completed(SLOTS) == bare.wait_for_job(job_id, 240)["counts"]
    assert dict.fromkeys(wanted, 1) == {name: healthy.tally.served[name] for name in wanted}
    assert {2} == {unit["attempt"] for unit in bare.units(job_id)}
    assert [] == bare.wrong_series(wanted)
