"""Log lines of real processes: whole, in one format, without secrets."""

import json
import os
import subprocess
import sys

import pytest

_SET_UP = """
import logging, multiprocessing, sys, structlog
from concurrent.futures import ThreadPoolExecutor
from pocketquant import logs
from pocketquant.redaction import Redactor
from pocketquant.settings import LogFormat, LogLevel

logs.set_up_logs(LogFormat.JSON, LogLevel.INFO, Redactor(["planted-secret"]))

def say(number):
    structlog.get_logger("ours").info("said", number=number, padding="x" * (number % 100) ** 2)

def say_all():
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(say, range(20_000)))
"""


def _stderr_of(code: str) -> list[dict[str, object]]:
    """The lines of a process that runs it and ends well."""
    ended = subprocess.run(
        [sys.executable, "-c", _SET_UP + code], capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_lines_of_many_threads_are_whole_and_all_there() -> None:
    """Eight threads log at the same time."""
    lines = _stderr_of("say_all()")
    assert set(range(20_000)) == {line["number"] for line in lines}
    assert {"ours"} == {line["logger"] for line in lines}


def test_lines_of_a_forked_process_are_whole_and_all_there() -> None:
    """Servers fork their worker processes."""
    lines = _stderr_of(
        "one = multiprocessing.get_context('fork').Process(target=say_all)\none.start(); one.join()"
    )
    assert set(range(20_000)) == {line["number"] for line in lines}


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_signal_handler_may_log_while_its_thread_writes_a_line(unbuffered: str) -> None:
    """The line is interrupted on a full pipe; both lines are whole once somebody reads."""
    code = """
import os, signal

def handle(*_):
    os.write(1, b"!")
    structlog.get_logger("ours").info("handled")

os.set_blocking(2, False)
try:
    while True:
        os.write(2, b"\\n")
except BlockingIOError:
    os.set_blocking(2, True)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.1)
structlog.get_logger("ours").info("said")
"""
    command = [sys.executable, "-c", _SET_UP + code]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stdout is not None
        assert b"!" == process.stdout.read(1)
        _, stderr = process.communicate()
    assert 0 == process.returncode
    lines = filter(None, stderr.splitlines())
    assert {"handled", "said"} == {json.loads(line)["event"] for line in lines}


def test_libraries_and_crashes_come_in_the_same_format_without_secrets() -> None:
    """Each line names its logger, its level and its time; lines below the level are left out."""
    lines = _stderr_of(
        "structlog.get_logger('ours').debug('unheard')\n"
        "structlog.get_logger('ours').warning('said', what='planted-secret')\n"
        "logging.getLogger('theirs').info('unheard %s', 'planted-secret')\n"
        "try: raise ValueError('planted-secret')\n"
        "except ValueError: structlog.get_logger('ours').exception('failed')\n"
    )
    assert [("ours", "warning"), ("theirs", "info"), ("ours", "error")] == [
        (line["logger"], line["level"]) for line in lines
    ]
    assert all(line["timestamp"] for line in lines)
    assert "planted-secret" not in json.dumps(lines)
    assert "ValueError" in json.dumps(lines[2])


def test_a_process_goes_on_without_standard_error() -> None:
    """A line that can't be written fails neither the call that logs it nor the process's end."""
    code = "sys.stderr.close(); [say(n) for n in range(20_000)]; print(1)"
    ended = subprocess.run(
        [sys.executable, "-c", _SET_UP + code], capture_output=True, text=True, check=True
    )
    assert "1\n" == ended.stdout
