"""The programs besides the API: push, the interactive worker, Flower."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest
import requests

from pocketquant.domain.syncs import QueueName
from pocketquant.servers.connections import wait_until

AUTH = ("pocketquant", "one, two: three")
WORKERS = {"worker-0", "worker-1", "interactive"}
STREAMS_OF_API = 8
TASKS = {"pocketquant.sync_unit", "pocketquant.tick"}


@pytest.fixture(scope="module")
def whole(start_platform: Callable[..., Any]) -> Iterator[Any]:
    """A platform with every program."""
    settings = {"workers": 2, "interactive_slots": 2, "flower_password": AUTH[1]}
    with start_platform(without=frozenset(), **settings) as platform:
        url = f"{platform.flower_url}/api/workers"
        wait_until("Flower answers", lambda: is_ok(url), requests.RequestException, 60)
        yield platform


def is_ok(url: str) -> bool:
    return requests.get(url, auth=AUTH, timeout=60).ok


def flower(platform: Any, path: str) -> Any:
    answer = requests.get(f"{platform.flower_url}{path}", auth=AUTH, timeout=60)
    answer.raise_for_status()
    return answer.json()


def workers_of(platform: Any) -> dict[str, Any]:
    """Flower's data of each worker, by its name without the host."""
    found = {}

    def has_all() -> bool:
        for name, facts in flower(platform, "/api/workers?refresh=true").items():
            found[name.partition("@")[0]] = facts
        return WORKERS == found.keys() and all("registered" in one for one in found.values())

    wait_until("Flower knows all workers", has_all, requests.RequestException, 60)
    return found


def test_push_serves_the_whole_api(whole: Any) -> None:
    """Database, cache and broker work: push syncs a series and returns its bars."""
    wish = {"exchange": "SIM", "symbol": "S0601", "interval": "1d", "n_bars": 20}
    url = f"{whole.push_url}/api/v1/market-data"
    synced = requests.post(f"{url}/sync", json=wish, timeout=60)
    assert 200 == synced.status_code, synced.text
    bars = requests.get(f"{url}/ohlcv/SIM/S0601?interval=1d", timeout=60).json()
    assert bars["count"] == synced.json()["bar_count"] > 0


def test_push_serves_streams_beyond_the_limit_of_the_api(whole: Any) -> None:
    """An API process serves streams with an eighth of its threads, push with greenlets."""
    job = {"_id": "watched", "kind": "bulk", "queue": "bulk", "open": True, "planned": True}
    made = {"total": 1, "created_at": datetime.now(UTC)}
    whole.mongo["jobs"].insert_one(job | made)
    statuses = {}
    with ExitStack() as streams:
        for url in (whole.url, whole.push_url):
            opened = [
                streams.enter_context(
                    requests.get(f"{url}/api/v1/jobs/watched/events", stream=True, timeout=60)
                )
                for _ in range(STREAMS_OF_API + 4)
            ]
            statuses[url] = [answer.status_code for answer in opened]
    assert [200] * STREAMS_OF_API + [503] * 4 == statuses[whole.url]
    assert [200] * (STREAMS_OF_API + 4) == statuses[whole.push_url]


def test_flower_lists_workers_by_their_own_names_and_queues(whole: Any) -> None:
    """Two equal workers are two rows; a third worker only reads the interactive queue."""
    found = workers_of(whole)
    queues = {name: [one["name"] for one in found[name]["active_queues"]] for name in found}
    every = ["interactive", "bulk", "scheduled", "repair", "backfill"]
    assert {"worker-0": every, "worker-1": every, "interactive": ["interactive"]} == queues
    assert 2 == found["interactive"]["stats"]["pool"]["max-concurrency"]
    assert TASKS <= set(found["worker-0"]["registered"])


def test_flower_shows_our_tasks_and_the_lengths_of_our_queues(whole: Any) -> None:
    """Flower knows the key prefix of our queues, and lists tasks by name."""
    whole.sync("SIM:S0602")
    lengths = flower(whole, "/api/queues/length")["active_queues"]
    assert set(QueueName) == {queue["name"] for queue in lengths}

    def is_listed() -> bool:
        tasks = flower(whole, "/api/tasks?taskname=pocketquant.sync_unit")
        return any(task["state"] == "SUCCESS" for task in tasks.values())

    wait_until("the task is listed", is_listed, requests.RequestException, 60)


def test_flower_needs_its_password_which_ps_does_not_show(whole: Any) -> None:
    """It responds 401 without or with a wrong password; no command line contains it."""
    url = f"{whole.flower_url}/api/workers"
    assert 401 == requests.get(url, timeout=60).status_code
    assert 401 == requests.get(url, auth=(AUTH[0], "one"), timeout=60).status_code
    lines = [process.cmdline() for process in psutil.Process(whole.supervisord).children()]
    assert not [line for line in lines if any(AUTH[1] in word for word in line)]


def test_flower_only_accepts_names_of_this_machine(whole: Any) -> None:
    """A page whose name was rebound to this machine is refused, even with the password."""
    for path in ("/", "/api/workers", "/metrics", "/static/css/flower.css"):
        answers = [
            requests.get(f"{whole.flower_url}{path}", auth=AUTH, headers={"Host": host}, timeout=60)
            for host in ("evil.example:5555", "localhost", "127.0.0.1:5555")
        ]
        assert [403, 200, 200] == [answer.status_code for answer in answers]
    shutdown = requests.post(
        f"{whole.flower_url}/api/worker/shutdown/nobody",
        auth=AUTH,
        headers={"Host": "evil.example"},
        timeout=60,
    )
    assert 403 == shutdown.status_code


@pytest.mark.fault
def test_push_stops_although_requests_are_in_progress(whole: Any) -> None:
    """With its worker process, and it can be started again."""
    host, port = whole.push_url.removeprefix("http://").split(":")
    unfinished = (
        b"POST /api/v1/market-data/sync HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    )
    open_calls = [socket.create_connection((host, int(port)), timeout=30) for _ in range(50)]
    for call in open_calls:
        call.sendall(unfinished)
    was_running = whole.processes("gunicorn")
    assert 2 == len(was_running)
    whole.control("stop", "pocketquant:push-0")
    wait_until("all its processes have ended", lambda: not alive(was_running), psutil.Error, 60)
    for call in open_calls:
        call.close()
    whole.control("start", "pocketquant:push-0")
    url = f"{whole.push_url}/health"
    wait_until("push answers", lambda: is_ok(url), requests.RequestException, 60)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running()]
