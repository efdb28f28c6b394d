"""`/health/live` and `/health/ready`: for supervisors, and for operators."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from pocketquant.coordination.fleet import Member, MemberKind
from pocketquant.machine import embedded
from pocketquant.presence.repeating import FAILING_SECONDS, Loop
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings
from pocketquant.wiring import Platform

READY = "/health/ready"

Serve = Callable[..., FlaskClient]


def test_a_process_is_live_while_servers_are_away(serve: Serve, settings: Settings) -> None:
    """Liveness calls no server."""
    nowhere = f"127.0.0.1:{embedded.reserve_port()}"
    servers = {"mongodb_url": f"mongodb://{nowhere}", "redis_url": f"redis://{nowhere}"}
    answer = serve(settings.model_copy(update=servers)).get("/health/live")
    assert (200, {"status": "ok"}) == (answer.status_code, answer.get_json())


def test_a_process_whose_loop_keeps_failing_is_not_live(
    client: FlaskClient, platform: Platform
) -> None:
    """It has to be restarted; once the loop succeeds again it is live."""
    trouble = [ValueError("a defect")]

    def turn(_: Loop) -> None:
        for error in trouble:
            raise error

    assert 30 == FAILING_SECONDS
    platform.loops.failing_seconds = 0.0
    loop = platform.loops.begin("troubled", turn)
    wait_until("it fails", lambda: platform.loops.failing == ("troubled",), (), 60)
    answer = client.get("/health/live")
    assert (503, {"status": "down"}) == (answer.status_code, answer.get_json())
    trouble.clear()
    wait_until("it works", lambda: client.get("/health/live").status_code == 200, (), 60)
    loop.end()


def test_without_workers_and_beats_it_is_ready_but_degraded(client: FlaskClient) -> None:
    """The answer is 200, for requests are served; it names the missing processes."""
    answer = client.get(READY)
    found = answer.get_json()
    assert (200, "degraded") == (answer.status_code, found["status"])
    for server in ("mongodb", "redis", "broker"):
        assert ("ok", None) == (found[server]["status"], found[server]["reason"])
        assert found[server]["latency_ms"] > 0
    assert ("degraded", "no worker is alive") == _check(found["workers"])
    assert ("degraded", "no beat is alive") == _check(found["beat"])
    assert ("ok", None) == _check(found["schedules"])


def test_a_shard_without_a_streamer_leaves_it_ready_but_degraded(
    client: FlaskClient, attend: Callable[..., None]
) -> None:
    """Without subscriptions, no streamer is missing."""
    assert ("ok", None) == _check(client.get(READY).get_json()["streamers"])
    symbols = {"symbols": [{"symbol": "AAPL", "exchange": "NASDAQ"}]}
    client.post("/api/v1/quotes/subscribe", json=symbols)
    answer = client.get(READY)
    expected = ("degraded", "shard 1-of-1 has no streamer")
    assert (200, expected) == (answer.status_code, _check(answer.get_json()["streamers"]))
    attend("1-of-1")
    assert ("ok", None) == _check(client.get(READY).get_json()["streamers"])


def test_with_all_processes_and_punctual_schedules_it_is_ok(
    client: FlaskClient, platform: Platform
) -> None:
    """It is degraded once a run is minutes late, unless the schedule is paused."""
    for kind in MemberKind:
        started_at = datetime(2026, 1, 1, tzinfo=UTC)
        platform.fleet.announce(Member(kind.value, kind, kind.value, "node-1", 7, started_at, "1"))
    platform.schedules.made(int(datetime.now(UTC).timestamp()))
    assert "ok" == client.get(READY).get_json()["status"]
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    late = {"$set": {"next_run_at": an_hour_ago}}
    platform.mongo["schedules"].update_one({"_id": "all-series"}, late)
    answer = client.get(READY)
    found = answer.get_json()
    assert (200, "degraded") == (answer.status_code, found["status"])
    assert "all-series is 36" in found["schedules"]["reason"]
    platform.mongo["schedules"].update_one({"_id": "all-series"}, {"$set": {"paused": True}})
    assert ("ok", None) == _check(client.get(READY).get_json()["schedules"])


@pytest.mark.parametrize(
    ("away", "server", "scheme"),
    [
        ("mongodb_url", "mongodb", "mongodb"),
        ("redis_url", "redis", "redis"),
        ("celery_broker_url", "broker", "redis"),
    ],
)
def test_a_missing_server_makes_it_unready(
    serve: Serve, settings: Settings, away: str, server: str, scheme: str
) -> None:
    """503 has the reason without address or password; the other servers are checked too."""
    nowhere = f"{scheme}://somebody:secret@127.0.0.1:{embedded.reserve_port()}"
    servers = {"celery_broker_url": settings.redis_url, away: nowhere}
    answer = serve(settings.model_copy(update=servers)).get(READY)
    found = answer.get_json()
    assert (503, "down") == (answer.status_code, found["status"])
    down = {name for name, check in found.items() if name != "status" and check["status"] == "down"}
    assert {server} == down
    assert ("down", "does not answer") == _check(found[server])
    assert "secret" not in answer.get_data(as_text=True)


def test_a_refused_password_is_named_as_such(
    serve: Serve, settings: Settings, platform: Platform
) -> None:
    """The reason shows that the server itself is up."""
    platform.cache.config_set("requirepass", "right")
    try:
        wrong = settings.redis_url.replace("redis://", "redis://:wrong@", 1)
        answer = serve(settings.model_copy(update={"redis_url": wrong})).get(READY)
    finally:
        platform.cache.config_set("requirepass", "")
    expected = ("down", "refuses the user name or password")
    assert expected == _check(answer.get_json()["redis"])


def _check(check: dict[str, str]) -> tuple[str, str]:
    return check["status"], check["reason"]
