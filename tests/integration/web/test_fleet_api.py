"""`GET /fleet`: the state of all processes, also while a server is away."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from flask.testing import FlaskClient

from pocketquant.coordination.fleet import Member, MemberKind
from pocketquant.coordination.governor import Outcome
from pocketquant.machine import embedded
from pocketquant.servers.connections import Mongo
from pocketquant.settings import Settings
from pocketquant.wiring import Platform

FLEET = "/api/v1/fleet"
SYNC = "/api/v1/market-data/sync/background"
AAPL = {"symbol": "AAPL", "exchange": "NASDAQ"}

Serve = Callable[..., FlaskClient]


@pytest.fixture
def announce(platform: Platform) -> Callable[..., None]:
    """Announces members of the fleet, as workers and beats do."""

    def one(member_id: str, kind: MemberKind, **work: object) -> None:
        started_at = datetime(2026, 1, 1, tzinfo=UTC)
        member = Member(
            id=member_id,
            kind=kind,
            name=f"{kind}@{member_id}",
            host="node-1",
            pid=7,
            started_at=started_at,
            version="0.1.0",
            **work,
        )
        platform.fleet.announce(member)

    return one


def test_the_processes_are_listed_and_workers_counted(
    client: FlaskClient, announce: Callable[..., None]
) -> None:
    """Each is listed with its slots and queues or its shard; totals are over all workers."""
    announce("a", MemberKind.WORKER, slots=16, busy=3, queues=("interactive", "bulk"))
    announce("b", MemberKind.WORKER, slots=4, busy=1, queues=("interactive",))
    announce("c", MemberKind.BEAT, metrics_url="http://node-1:9/metrics")
    announce("d", MemberKind.STREAMER, shard="1-of-1")
    announce("e", MemberKind.STREAMER)
    found = client.get(FLEET).get_json()
    assert ["worker@a", "worker@b"] == [worker["name"] for worker in found["workers"]]
    assert ["interactive", "bulk"] == found["workers"][0]["queues"]
    assert {"workers": 2, "slots": 20, "busy": 4} == found["totals"]
    (beat,) = found["beats"]
    assert ("beat@c", "http://node-1:9/metrics") == (beat["name"], beat["metrics_url"])
    last_seen = datetime.fromisoformat(beat["last_seen"])
    assert timedelta(0) <= datetime.now(UTC) - last_seen < timedelta(seconds=15)
    streamers = [(streamer["name"], streamer["shard"]) for streamer in found["streamers"]]
    assert [("streamer@d", "1-of-1"), ("streamer@e", None)] == streamers
    assert [] == found["problems"]


def test_a_wrong_clock_is_a_problem_of_its_host(
    client: FlaskClient, announce: Callable[..., None]
) -> None:
    """Each process shows its offset from Redis's clock; the error that NTP leaves is no problem."""
    announce("a", MemberKind.WORKER, clock_ahead_seconds=172800.0)
    announce("b", MemberKind.BEAT, clock_ahead_seconds=0.01)
    announce("c", MemberKind.STREAMER)
    found = client.get(FLEET).get_json()
    shown = [found[kind][0]["clock_ahead_seconds"] for kind in ("workers", "beats", "streamers")]
    assert [172800.0, 0.01, None] == shown
    off = "host node-1: its clock is 172800.0 s ahead of Redis's; let NTP set it"
    assert [off] == found["problems"]


def test_a_failing_step_of_the_tick_is_a_problem(client: FlaskClient, platform: Platform) -> None:
    """It degrades readiness, until the step succeeds again."""
    platform.tick_problems.note({"schedule all-series": "why"}, [])
    assert ["tick, schedule all-series: why"] == client.get(FLEET).get_json()["problems"]
    ready = client.get("/health/ready").get_json()
    assert ("degraded", "schedule all-series fails: why") == (
        ready["schedules"]["status"],
        ready["schedules"]["reason"],
    )
    platform.tick_problems.note({}, ["schedule all-series"])
    assert [] == client.get(FLEET).get_json()["problems"]


def test_a_shard_without_a_streamer_is_a_problem_once_symbols_are_subscribed(
    serve: Serve, settings: Settings, cache: redis.Redis, attend: Callable[..., None]
) -> None:
    """It is none while streaming is stopped."""
    client = serve(settings.model_copy(update={"streamer_shards": 2}))
    attend("1-of-2")
    assert [] == client.get(FLEET).get_json()["problems"]
    client.post("/api/v1/quotes/subscribe", json={"symbols": [AAPL]})
    assert ["shard 2-of-2: no streamer"] == client.get(FLEET).get_json()["problems"]
    attend("2-of-2")
    assert [] == client.get(FLEET).get_json()["problems"]
    cache.delete("streamer:status:1-of-2", "streamer:status:2-of-2")
    client.post("/api/v1/quotes/stop")
    assert [] == client.get(FLEET).get_json()["problems"]


def test_waiting_work_is_counted_in_the_broker_and_in_the_ledger(
    client: FlaskClient, platform: Platform
) -> None:
    """Each queue has counts and the age of its oldest unit, without deferred and running units."""
    for ticker in ("AAPL", "MSFT", "TSLA"):
        client.post(SYNC, json={**AAPL, "symbol": ticker})
    units = platform.mongo["units"]
    an_hour = timedelta(hours=1)
    first, second = (each["_id"] for each in units.find().limit(2))
    units.update_one({"_id": first}, {"$set": {"not_before": datetime.now(UTC) + an_hour}})
    units.update_one({"_id": second}, {"$set": {"created_at": datetime.now(UTC) - an_hour}})
    queues = {queue["name"]: queue for queue in client.get(FLEET).get_json()["queues"]}
    assert ["interactive", "bulk", "scheduled", "repair", "backfill"] == list(queues)
    bulk = queues["bulk"]
    assert (3, 2) == (bulk["length"], bulk["waiting_units"])
    assert 3590 < bulk["oldest_seconds"] < 3700
    nothing = {"length": 0, "waiting_units": 0, "oldest_seconds": None}
    assert {"name": "scheduled", **nothing} == queues["scheduled"]
    assert {"deferred": 1, "running": 0} == client.get(FLEET).get_json()["units"]
    platform.ledger.claim(second)
    assert {"deferred": 1, "running": 1} == client.get(FLEET).get_json()["units"]


def test_a_unit_put_back_waits_from_the_moment_it_is_due_again(
    client: FlaskClient, platform: Platform
) -> None:
    """The delay before that does not count as waiting."""
    client.post(SYNC, json=AAPL)
    now = datetime.now(UTC)
    times = {"created_at": now - timedelta(hours=1), "not_before": now - timedelta(minutes=1)}
    platform.mongo["units"].update_one({}, {"$set": times})
    (oldest,) = [
        queue["oldest_seconds"]
        for queue in client.get(FLEET).get_json()["queues"]
        if queue["waiting_units"]
    ]
    assert 55 < oldest < 120


def test_pace_and_breaker_are_those_of_the_governor(
    client: FlaskClient, platform: Platform, settings: Settings
) -> None:
    """The pace starts low and drops after a refusal; many failures open the breaker."""
    found = client.get(FLEET).get_json()
    assert settings.provider_start_rate == found["pace"]["rate"]
    assert settings.provider_start_concurrency == found["pace"]["concurrency"]
    assert settings.provider_rate == found["pace"]["ceiling_rate"]
    assert ("closed", None) == (found["breaker"]["state"], found["breaker"]["opened_at"])
    platform.governor.enter("call", is_urgent=True, max_wait_seconds=1)
    platform.governor.leave("call", Outcome.THROTTLED)
    for number in range(20):
        platform.governor.leave(f"call-{number}", Outcome.DOWN)
    found = client.get(FLEET).get_json()
    assert found["pace"]["rate"] < settings.provider_start_rate
    assert found["pace"]["last_lowered_at"] is not None
    assert "open" == found["breaker"]["state"]
    assert found["breaker"]["opened_at"] <= found["breaker"]["next_probe_at"]


def test_schedules_have_the_time_since_their_last_success(
    client: FlaskClient, platform: Platform
) -> None:
    """It is null before the first success."""
    now = int(datetime.now(UTC).timestamp())
    names = [schedule.name for schedule in platform.schedules.made(now)]
    shown = client.get(FLEET).get_json()["schedules"]
    assert names == [each["name"] for each in shown]
    assert {None} == {each["seconds_since_last_success"] for each in shown}
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    platform.mongo["schedules"].update_many({}, {"$set": {"last_success_at": an_hour_ago}})
    for each in client.get(FLEET).get_json()["schedules"]:
        assert 3590 < each["seconds_since_last_success"] < 3700
        assert each["next_run_at"]


def test_a_paused_schedule_has_no_next_run(client: FlaskClient, platform: Platform) -> None:
    """`GET /fleet` and the schedule itself agree."""
    platform.schedules.made(int(datetime.now(UTC).timestamp()))
    url = "/api/v1/schedules/all-series"
    assert None is client.put(url, json={"paused": True}).get_json()["next_run_at"]
    shown = {each["name"]: each for each in client.get(FLEET).get_json()["schedules"]}
    assert None is shown["all-series"]["next_run_at"]


@pytest.mark.parametrize(
    ("away", "scheme", "lost", "problems"),
    [
        ("mongodb_url", "mongodb", {"units", "schedules"}, {"mongodb"}),
        (
            "redis_url",
            "redis",
            {"workers", "beats", "streamers", "totals", "pace", "breaker"},
            {"redis"},
        ),
        ("celery_broker_url", "redis", set(), {"broker"}),
    ],
)
def test_only_the_values_of_a_missing_server_are_null(
    serve: Serve,
    settings: Settings,
    mongo: Mongo,
    away: str,
    scheme: str,
    lost: set[str],
    problems: set[str],
) -> None:
    """`problems` names the server without its address; all other values are present."""
    nowhere = f"{scheme}://somebody:secret@127.0.0.1:{embedded.reserve_port()}"
    servers = {"celery_broker_url": settings.redis_url, away: nowhere}
    answer = serve(settings.model_copy(update=servers)).get(FLEET)
    assert 200 == answer.status_code
    found = answer.get_json()
    assert lost == {name for name, part in found.items() if part is None}
    assert problems == {problem.partition(":")[0] for problem in found["problems"]}
    assert "secret" not in answer.get_data(as_text=True)
    unknown = {"broker": "length", "mongodb": "waiting_units"}.get(*problems, "")
    if unknown:
        assert {None} == {queue[unknown] for queue in found["queues"]}


def test_without_mongodb_and_redis_the_fleet_is_503(serve: Serve, settings: Settings) -> None:
    """The error is that of missing storage."""
    nowhere = f"127.0.0.1:{embedded.reserve_port()}"
    servers = {"mongodb_url": f"mongodb://{nowhere}", "redis_url": f"redis://{nowhere}"}
    answer = serve(settings.model_copy(update=servers)).get(FLEET)
    assert (503, "storage_unavailable") == (answer.status_code, answer.get_json()["error"])
