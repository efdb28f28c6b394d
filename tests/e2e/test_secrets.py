"""Planted secrets appear in no log, response, page, process title or file."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pymongo
import pytest
import redis
import requests

from pocketquant.machine import embedded
from pocketquant.servers.connections import wait_until

POCKETQUANT = str(Path(sys.executable).parent / "pocketquant")
SECRETS = {
    name: f"planted-{name}-in-a-test"
    for name in ("mongodb", "redis", "password", "token", "flower", "api_key", "given")
}
GIVEN = f"pq_0123456789ab_{SECRETS['given']}".ljust(59, "x")
SYNC = "/api/v1/market-data/sync"
ASKED = (
    *("/metrics", "/health", "/health/live", "/health/ready", "/api/v1/fleet", "/api/v1/docs"),
    *("/api/v1/openapi.json", "/api/v1/quotes/status", "/api/v1/dead-letters"),
    *("/api/v1/keys", "/api/v1/keys/current", f"/api/v1/keys/{GIVEN}"),
    *(f"/api/v1/jobs/{GIVEN}", f"/nowhere/{GIVEN}", f"/api/v1/fleet?api_key={GIVEN}"),
    "/api/v1/market-data/ohlcv/SIM/S0001?x=" + GIVEN,
)
FLOWER = (
    *("/", "/workers", "/tasks", "/broker", "/metrics", "/api/workers?refresh=1", "/api/tasks"),
    *("/api/queues/length", "/api/task/types", "/worker/nobody", "/task/none"),
)

Start = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A mongod and a redis-server with passwords."""
    folder = tmp_path_factory.mktemp("servers")
    mongod, cache = embedded.private_mongod(folder), embedded.private_redis(folder)
    with embedded.running(mongod), embedded.running(cache):
        with pymongo.MongoClient[Any](mongod.url) as client:
            client.admin.command("createUser", "pq", pwd=SECRETS["mongodb"], roles=["root"])
        with redis.Redis.from_url(cache.url) as client:
            client.config_set("requirepass", SECRETS["redis"])
        yield {
            "mongodb_url": mongod.url.replace("://", f"://pq:{SECRETS['mongodb']}@"),
            "redis_url": cache.url.replace("://", f"://:{SECRETS['redis']}@"),
        }


@pytest.fixture(scope="module")
def planted(start_platform: Start, servers: dict[str, str]) -> Iterator[Any]:
    """A platform with planted secrets."""
    with start_platform(
        without=frozenset({"interactive"}),
        log_level="DEBUG",
        tradingview_username="somebody",
        tradingview_password=SECRETS["password"],
        tradingview_token=SECRETS["token"],
        flower_password=SECRETS["flower"],
        api_key=SECRETS["api_key"],
        **servers,
    ) as platform:
        yield platform


def leaks(text: str) -> list[str]:
    """Return the names of the secrets in the text."""
    return [name for name, secret in SECRETS.items() if secret in text]


def written(platform: Any) -> str:
    """Return the text of all logs and files of the programs, without logs of MongoDB and Redis."""
    files = [platform.folder / "supervisord.conf", *(platform.folder / "logs").iterdir()]
    return "\n".join(Path(file).read_text(errors="replace") for file in files)


def whole(answer: requests.Response) -> str:
    return f"{answer.headers}{answer.text}"


@pytest.mark.parametrize("server", ["url", "push_url"])
@pytest.mark.parametrize("headers", [{}, {"X-API-Key": GIVEN}, {"X-API-Key": SECRETS["api_key"]}])
def test_no_response_contains_a_secret(planted: Any, server: str, headers: dict[str, str]) -> None:
    """For right and wrong requests and keys, and for syncs that fail because of the token."""
    url = getattr(planted, server)
    answers = [requests.get(url + path, headers=headers, timeout=60) for path in ASKED]
    for symbol in ("S0001", "NOPE", GIVEN):
        body = {"exchange": "SIM", "symbol": symbol}
        answers.append(requests.post(url + SYNC, json=body, headers=headers, timeout=70))
    assert [[]] * len(answers) == [leaks(whole(answer)) for answer in answers]


def test_the_text_of_a_key_is_in_one_response_and_in_no_log(planted: Any) -> None:
    """Also if it is used, and sent in a path by mistake."""
    url = f"{planted.url}/api/v1/keys"
    made = requests.post(url, json={"name": "charts", "scope": "admin"}, timeout=60).json()
    secret = made["key"].split("_", 2)[2]
    headers = {"X-API-Key": made["key"]}
    answers = [
        requests.get(f"{url}{path}", headers=headers, timeout=60) for path in ("", "/current")
    ]
    answers += [requests.delete(f"{url}/{name}", timeout=60) for name in (made["key"], made["id"])]
    assert [200, 200, 404, 200] == [answer.status_code for answer in answers]
    assert [] == [answer.url for answer in answers if secret in whole(answer)]
    wait_until("it is logged", lambda: f'"revoked": "{made["id"]}"' in written(planted), (), 30)
    assert secret not in written(planted)


def test_no_page_of_flower_contains_a_secret(planted: Any) -> None:
    """Also pages of workers and tasks, and responses to a wrong password."""
    url, auth = planted.flower_url, ("pocketquant", SECRETS["flower"])

    def knows_workers() -> bool:
        found = requests.get(f"{url}/api/workers?refresh=1", auth=auth, timeout=60)
        return bool(found.ok and found.json())

    wait_until("Flower knows a worker", knows_workers, requests.RequestException, 60)
    pages = [
        *FLOWER,
        *(
            f"/worker/{name}"
            for name in requests.get(f"{url}/api/workers", auth=auth, timeout=60).json()
        ),
        *(
            f"/task/{name}"
            for name in requests.get(f"{url}/api/tasks", auth=auth, timeout=60).json()
        ),
    ]
    assert any(page.startswith("/worker/worker-") for page in pages)
    answers = [requests.get(url + page, auth=auth, timeout=60) for page in pages]
    answers += [requests.get(url + page, auth=("pocketquant", "x"), timeout=60) for page in pages]
    assert [[]] * len(answers) == [leaks(whole(answer)) for answer in answers]


@pytest.mark.parametrize("server", ["url", "push_url", "flower_url"])
@pytest.mark.parametrize("path", ["/", "/health/live", "/static/css/flower.css"])
def test_no_server_reveals_its_software(planted: Any, server: str, path: str) -> None:
    """Attackers could look up its version."""
    answer = requests.get(getattr(planted, server) + path, timeout=60)
    assert "PocketQuant" == answer.headers["Server"]


def test_no_title_of_a_process_contains_a_secret(planted: Any) -> None:
    """`ps` shows titles to every user of the machine."""
    titles = [process.cmdline() for process in planted.processes("")]
    assert len(titles) >= 6
    assert [] == leaks(str(titles))


def test_no_log_contains_a_secret(planted: Any, servers: dict[str, str]) -> None:
    """Also when Redis refuses the password, and each program logs this in its own way."""
    requests.get(f"{planted.url}/api/v1/jobs/{GIVEN}", timeout=60)
    with redis.Redis.from_url(servers["redis_url"]) as client:
        client.config_set("requirepass", "another")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        try:
            refused = requests.post(
                planted.url + SYNC, json={"exchange": "SIM", "symbol": "S0003"}, timeout=70
            )
            assert [] == leaks(whole(refused))
            wait_until(
                "programs complain", lambda: "username-password pair" in written(planted), (), 60
            )
        finally:
            client.config_set("requirepass", SECRETS["redis"])
    assert "/api/v1/jobs/pq_0123456789ab_\\u2026" in written(planted)
    assert [] == leaks(written(planted))


@pytest.mark.parametrize(
    ("program", "wrong"),
    [
        ("worker", {"LEASE_SECONDS": "1"}),
        ("streamer", {"LEASE_SECONDS": "1"}),
        ("push", {"REDIS_URL": f"redis://:{SECRETS['redis']}/x@127.0.0.1:1/0"}),
        ("streamer", {"MONGODB_URL": f"mongodb://pq:{SECRETS['mongodb']}/x@127.0.0.1:1/"}),
    ],
)
def test_the_error_of_a_program_that_cannot_start_contains_no_secret(
    planted: Any, program: str, wrong: dict[str, str]
) -> None:
    """For a wrong setting, and for a URL that its password makes invalid."""
    servers = psutil.Process(planted.supervisord).environ()
    ended = subprocess.run(
        [POCKETQUANT, program],
        env={**servers, **wrong, "PUSH_PORT": str(embedded.reserve_port())},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 != ended.returncode
    assert [] == leaks(ended.stdout + ended.stderr)
