"""Two web processes on one port: if one is killed, the other answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from pocketquant.servers.connections import wait_until

pytestmark = pytest.mark.fault

PATH = "/api/v1/schedules"
COUNT = "pocketquant_http_request_duration_seconds_count"
MOST_TRIES = 20  # connections that the killed one had accepted, or was about to


@pytest.fixture(scope="module")
def pair(start_platform: Callable[..., Any]) -> Iterator[Any]:
    """A platform with two web processes, without the programs that these tests do not need."""
    without = frozenset({"flower", "interactive", "push", "streamer", "worker", "beat"})
    with start_platform(without=without, web_processes=2) as platform:
        wait_until("both serve", lambda: len(workers(platform)) == 2, psutil.Error, 60)
        yield platform


def servers(platform: Any) -> list[psutil.Process]:
    """Return the two servers, without their workers."""
    return [each for each in platform.processes("granian") if each.ppid() == platform.supervisord]


def workers(platform: Any) -> list[psutil.Process]:
    """Return the workers that listen."""
    return [
        child
        for server in servers(platform)
        for child in server.children()
        if any(each.status == psutil.CONN_LISTEN for each in child.net_connections("tcp"))
    ]


def answer(platform: Any, path: str = PATH) -> requests.Response:
    """Return the answer of either process; try again at once if none accepts."""
    for _ in range(MOST_TRIES):
        try:
            return requests.get(f"{platform.url}{path}", timeout=30)
        except requests.ConnectionError:
            continue
    raise AssertionError("no process answers")


@contextmanager
def no_restarts(platform: Any) -> Iterator[None]:
    """Suspend supervisord, so that a killed process is not started again."""
    supervisord = psutil.Process(platform.supervisord)
    supervisord.suspend()
    try:
        yield
    finally:
        supervisord.resume()


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_server_is_not_missed(pair: Any, kill: Any, victim: int) -> None:
    """The other one answers until it is started again; then both do."""
    wait_until("both serve", lambda: len(workers(pair)) == 2, psutil.Error, 60)
    with no_restarts(pair):
        server = servers(pair)[victim]
        its_workers = server.children()
        server.kill()
        assert [200] * 10 == [answer(pair).status_code for _ in range(10)]
        wait_until(
            "its worker has ended",
            lambda: (
                not any(
                    each.is_running() and each.status() != psutil.STATUS_ZOMBIE
                    for each in its_workers
                )
            ),
            psutil.NoSuchProcess,
            30,
        )
        assert [200] * 10 == [answer(pair).status_code for _ in range(10)]
    wait_until("both serve again", lambda: len(workers(pair)) == 2, psutil.Error, 60)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_is_not_missed(pair: Any, kill: Any, victim: int) -> None:
    """The other server's worker answers until its server has started another one."""
    wait_until("both serve", lambda: len(workers(pair)) == 2, psutil.Error, 60)
    kill(workers(pair)[victim])
    assert [200] * 10 == [answer(pair).status_code for _ in range(10)]
    wait_until("both serve again", lambda: len(workers(pair)) == 2, psutil.Error, 60)


def test_a_scrape_returns_the_counts_of_both(pair: Any, kill: Any) -> None:
    """Either process returns them, also after one has died."""

    def counted() -> float:
        families = text_string_to_metric_families(answer(pair, "/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        routes = [each for each in samples if each.name == COUNT]
        return sum(each.value for each in routes if each.labels["route"].rstrip("/") == PATH)

    before = counted()
    for _ in range(20):
        assert answer(pair).ok
    assert {before + 20} == {counted() for _ in range(20)}
    kill(workers(pair)[0])
    assert {before + 20} == {counted() for _ in range(20)}
