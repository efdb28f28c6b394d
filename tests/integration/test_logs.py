"""Log lines of real processes: whole, in one format, without secrets."""

import json
import subprocess
import sys

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
    """No lock is held while they are written."""
    lines = _stderr_of("say_all()")
    assert set(range(20_000)) == {line["number"] for line in lines}
    assert {"ours"} == {line["logger"] for line in lines}


def test_so_are_those_of_a_forked_process() -> None:
    """Such are a server's worker processes."""
    lines = _stderr_of(
        "one = multiprocessing.get_context('fork').Process(target=say_all)\none.start(); one.join()"
    )
    assert set(range(20_000)) == {line["number"] for line in lines}


def test_libraries_and_crashes_come_in_the_same_format_without_secrets() -> None:
    """Each line names its logger, its level and its time; what is below the level isn't there."""
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


def test_a_lost_standard_error_fails_nobody() -> None:
    """Neither who logs nor the end of the process."""
    code = "sys.stderr.close(); [say(n) for n in range(20_000)]; print(1)"
    ended = subprocess.run(
        [sys.executable, "-c", _SET_UP + code], capture_output=True, text=True, check=True
    )
    assert "1\n" == ended.stdout
