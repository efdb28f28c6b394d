"""`pocketquant up`, as an operator uses it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.servers.connections import wait_until

pytestmark = pytest.mark.fault

PROGRAMS = (
    "granian",
    "gunicorn",
    "workers.app worker",
    "--queues interactive",
    "workers.app beat",
    "workers.streamer.main",
    "workers.app flower",
    "mongod",
    "redis-server",
)

BIN = Path(sys.executable).parent


def on_free_ports(simulator: Any, **variables: str) -> dict[str, str]:
    """Return settings of a small installation on free ports."""
    return {
        "API_HOST": HOST,
        "API_PORT": str(reserve_port()),
        "PUSH_HOST": HOST,
        "PUSH_PORT": str(reserve_port()),
        "FLOWER_HOST": HOST,
        "FLOWER_PORT": str(reserve_port()),
        "WORKERS": "1",
        "TRADINGVIEW_URL": simulator.url,
        **variables,
    }


@contextmanager
def running_up(
    folder: Path, simulator: Any, **variables: str
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run `pocketquant up` on a data folder; yields it and its URL. It prints to `up.log`."""
    settings = on_free_ports(simulator, **variables)
    command = [str(BIN / "pocketquant"), "up", "--data-dir", str(folder)]
    with folder.with_name("up.log").open("ab") as log:
        up = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log)
    url = f"http://{HOST}:{settings['API_PORT']}"
    try:
        wait_until("it is healthy", lambda: is_healthy(url), requests.RequestException, 60)
        yield up, url
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)


@pytest.fixture
def start_up(tmp_path: Path, simulator: Any) -> Callable[..., Any]:
    """Run `pocketquant up` on a data folder of the test's own; every call uses the same one."""
    return lambda **variables: running_up(tmp_path / "data", simulator, **variables)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `lasting_up`."""
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def lasting_up(data: Path, simulator: Any) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """One `pocketquant up` for tests that leave it running."""
    with running_up(data, simulator) as up:
        yield up


def is_healthy(url: str) -> bool:
    return requests.get(f"{url}/health", timeout=60).ok


def children(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def running(process: "subprocess.Popen[bytes]", text: str) -> list[psutil.Process]:
    return [child for child in children(process) if text in " ".join(child.cmdline())]


def any_runs(processes: list[psutil.Process]) -> bool:
    return any(process.is_running() for process in processes)


def test_sigterm_ends_all_processes_cleanly(start_up: Any) -> None:
    """`up` exits with 0 within 20 s, and no process is left."""
    with start_up() as (up, _):
        started = children(up)
        assert len(started) >= 10
        up.send_signal(signal.SIGTERM)
        assert 0 == up.wait(20)
        assert not any_runs(started)


def test_a_dead_process_is_restarted(lasting_up: Any, kill: Any) -> None:
    """Each process that is killed by SIGKILL comes back, and requests are served again."""
    up, url = lasting_up
    for text in PROGRAMS:
        victim = running(up, text)[0]
        its_children = victim.children(recursive=True)
        kill(victim)
        wait_until(f"{text} is back", lambda text=text: running(up, text), psutil.Error, 60)
        wait_until("no child is left", lambda left=its_children: not any_runs(left), (), 60)
    wait_until("it is healthy", lambda: is_healthy(url), requests.RequestException, 60)


def pocketquant(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(BIN / "pocketquant"), *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def check_keys_beside(url: str, folder: Path) -> None:
    """Make a key in the private MongoDB of the `up` on the folder, and use it with the API."""
    made = pocketquant("keys", "create", "charts", DATA_DIR=str(folder))
    assert 0 == made.returncode, made.stderr
    headers = {"X-API-Key": made.stdout.strip()}
    assert 200 == requests.get(f"{url}/api/v1/fleet", headers=headers, timeout=60).status_code
    doctor = pocketquant("doctor", "--json", DATA_DIR=str(folder))
    assert "answers at" in doctor.stdout


def test_no_other_user_can_read_the_data_folder(
    lasting_up: Any, data: Path, simulator: Any
) -> None:
    """Neither the data of the servers nor a log, whichever program made the file."""
    _, url = lasting_up
    wish = {"exchange": "SIM", "symbol": "S0502", "interval": "1d", "n_bars": 20}
    assert requests.post(f"{url}/api/v1/market-data/sync", json=wish, timeout=60).ok
    paths = [path for path in (data, *data.rglob("*")) if path.exists()]
    assert {"mongodb", "redis", "logs"} <= {path.name for path in paths}
    assert any(path.name.startswith("appendonly") for path in paths)
    assert [] == [str(path) for path in paths if path.stat().st_mode & 0o077]


def test_flower_needs_the_generated_password_which_up_prints(lasting_up: Any, data: Path) -> None:
    """Neither an empty password nor the default of older versions works."""
    up, _ = lasting_up
    made = (data / "flower-password").read_text().strip()
    login, log = f"(pocketquant / {made})", data.with_name("up.log")
    wait_until("it is printed", lambda: login in log.read_text(), (), 60)
    port = psutil.Process(up.pid).environ()["FLOWER_PORT"]
    url = f"http://{HOST}:{port}/api/workers"

    def status(password: str) -> int:
        return requests.get(url, auth=("pocketquant", password), timeout=60).status_code

    wait_until("Flower answers", lambda: status(made), requests.RequestException, 60)
    assert [200, 401, 401] == [status(each) for each in (made, "pocketquant", "")]


def test_a_password_of_the_settings_is_not_printed(start_up: Any, tmp_path: Path) -> None:
    """`up` names the setting instead of its value."""
    log = tmp_path / "up.log"
    with start_up(FLOWER_PASSWORD="known to its owner"):
        wait_until("the login is printed", lambda: "Flower" in log.read_text(), (), 60)
    assert "(pocketquant / your FLOWER_PASSWORD)" in log.read_text()
    assert "known to its owner" not in log.read_text()


def test_a_stopped_program_stays_stopped(lasting_up: Any, data: Path) -> None:
    """A program that supervisorctl has stopped is not restarted, while dead ones are."""
    up, _ = lasting_up
    command = [str(BIN / "supervisorctl"), "-c", str(data / "supervisord.conf")]
    subprocess.run([*command, "stop", "pocketquant:beat-0"], check=True)
    others = running(up, "workers.app worker")[0]
    others.send_signal(signal.SIGKILL)
    wait_until("a new worker runs", lambda: running(up, "workers.app worker"), psutil.Error, 60)
    status = subprocess.run(
        [*command, "status"], capture_output=True, text=True, check=False
    ).stdout
    assert "STOPPED" in next(line for line in status.splitlines() if "beat" in line)
    subprocess.run([*command, "start", "pocketquant:beat-0"], check=True)


def test_data_survives_a_restart(start_up: Any, tmp_path: Path) -> None:
    """Bars are served after `up` was stopped and started again, on other ports.

    Other commands find its servers while it runs, and name the remedy when it does not run.
    """
    wish = {"exchange": "SIM", "symbol": "S0501", "interval": "1d", "n_bars": 20}
    with start_up() as (_, url):
        check_keys_beside(url, tmp_path / "data")
        synced = requests.post(f"{url}/api/v1/market-data/sync", json=wish, timeout=60)
        assert synced.status_code == 200, synced.text
    keyless = pocketquant("keys", "list", DATA_DIR=str(tmp_path / "data"))
    assert "pocketquant up` runs on" in keyless.stderr
    with start_up() as (_, url):
        bars = requests.get(f"{url}/api/v1/market-data/ohlcv/SIM/S0501?interval=1d", timeout=60)
        assert bars.status_code == 200, bars.text
        assert bars.json()["count"] >= synced.json()["bar_count"]  # a schedule may add today's


def test_no_process_survives_a_killed_up(start_up: Any, kill: Any) -> None:
    """`kill -9` of the command ends its supervisor, which ends the others."""
    with start_up() as (up, _):
        started = children(up)
        kill(psutil.Process(up.pid))
        wait_until(
            "all have ended",
            lambda: not any_runs(started),
            psutil.Error,
            60,
        )


def test_up_runs_in_the_background_until_down(tmp_path: Path, simulator: Any) -> None:
    """`up --detach` returns when it serves; `status` and `logs` show it, and `down` ends it.

    Standard output of `up` is one screen. A second `up` on the folder is refused meanwhile.
    """
    folder = tmp_path / "data"
    settings = on_free_ports(simulator, DATA_DIR=str(folder))
    try:
        shown = pocketquant("up", "--detach", **settings)
        assert 0 == shown.returncode, shown.stderr
        assert is_healthy(f"http://{HOST}:{settings['API_PORT']}")
        assert f"http://{HOST}:{settings['API_PORT']}/api/v1/docs" in shown.stdout
        assert len(shown.stdout.splitlines()) <= 12
        second = pocketquant("up", "-d", **on_free_ports(simulator, DATA_DIR=str(folder)))
        assert 1 == second.returncode
        assert re.search("another `.*pocketquant up` runs on", second.stderr)
        wait_until("all run", lambda: 0 == status_of(folder), (), 60)
        lines = pocketquant("logs", "worker", "-n", "5", DATA_DIR=str(folder)).stdout.splitlines()
        assert 1 <= len(lines) <= 5
    finally:
        ended = pocketquant("down", DATA_DIR=str(folder))
    assert (0, "PocketQuant is down.\n") == (ended.returncode, ended.stdout)
    assert 1 == status_of(folder)
    assert not [each for each in psutil.process_iter(["cmdline"]) if runs_on(each, folder)]


def status_of(folder: Path) -> int:
    return pocketquant("status", DATA_DIR=str(folder)).returncode


def runs_on(process: psutil.Process, folder: Path) -> bool:
    return str(folder) in " ".join(process.info["cmdline"] or ())


def test_an_up_that_fails_in_the_background_says_why(tmp_path: Path, simulator: Any) -> None:
    """The terminal gets the error and the exit code, and nothing is left running."""
    settings = on_free_ports(simulator, DATA_DIR=str(tmp_path / "data"), WORKER_SLOTS="none")
    failed = pocketquant("up", "--detach", **settings)
    assert (1, "") == (failed.returncode, failed.stdout)
    assert "WORKER_SLOTS" in failed.stderr
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        failed = pocketquant(
            "up", "--detach", **{**settings, "WORKER_SLOTS": "2", "API_PORT": port}
        )
    assert (1, "") == (failed.returncode, failed.stdout)
    assert "is taken; set API_PORT to a free port" in failed.stderr


@pytest.mark.parametrize(
    "arguments", [("status",), ("down",), ("logs",), ("logs", "web")], ids=" ".join
)
def test_there_is_no_up_to_look_after(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Each command says so, and names the folder on which it looked."""
    ended = pocketquant(*arguments, "--data-dir", str(tmp_path / "none"))
    assert (1, "") == (ended.returncode, ended.stdout)
    assert str(tmp_path / "none") in ended.stderr


@pytest.mark.parametrize("setting", ["API_PORT", "PUSH_PORT", "FLOWER_PORT"])
def test_a_taken_port_is_named_at_once(setting: str, tmp_path: Path) -> None:
    """No process is started, and the message names the setting to change."""
    others = {name: str(reserve_port()) for name in ("API_PORT", "PUSH_PORT", "FLOWER_PORT")}
    with socket.create_server((HOST, 0)) as taken:
        ports = {**others, setting: str(taken.getsockname()[1])}
        ended = subprocess.run(
            [str(BIN / "pocketquant"), "up", "--data-dir", str(tmp_path / "data")],
            env={**os.environ, **ports},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert f"is taken; set {setting} to a free port" in ended.stderr
    assert not (tmp_path / "data").exists()


ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd here")
def test_the_unit_of_systemd_is_valid(tmp_path: Path) -> None:
    """systemd finds no fault in it, once its program exists."""
    unit = (BIN.parents[1] / "deploy" / "pocketquant.service").read_text()
    installed = unit.replace("/opt/pocketquant/bin/pocketquant", str(BIN / "pocketquant"))
    file = tmp_path / "pocketquant.service"
    file.write_text(installed)
    verified = subprocess.run(
        [str(ANALYZE), "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert (0, "") == (verified.returncode, verified.stderr)
