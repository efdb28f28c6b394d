"""The stream of what has changed."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import redis
from flask.testing import FlaskClient

from pocketquant.coordination.nudges import JOBS_CHANNEL
from pocketquant.servers.connections import wait_until

AAPL = {"exchange": "NASDAQ", "symbol": "AAPL"}
SYNC = "/api/v1/market-data/sync/background"
STREAM = "/api/v1/changes/stream"
ALL = {"jobs", "schedules", "subscriptions"}

Kinds = Iterator[list[str]]


@contextmanager
def changes(client: FlaskClient) -> Iterator[Kinds]:
    """Open the stream; yield the kinds of each event after those of the beginning."""
    with closing(client.get(STREAM, buffered=False)) as answer:
        found = kinds(iter(answer.response))  # type: ignore[arg-type]
        until_all(found)
        yield found


def kinds(body: Iterator[bytes]) -> Kinds:
    for block in body:
        if block.startswith(b"event: changed"):
            yield json.loads(block.partition(b"data: ")[2])


def until_all(found: Kinds) -> None:
    """Read until each kind was sent."""
    seen: set[str] = set()
    while seen != ALL:
        seen.update(next(found))


def test_each_change_is_told_by_its_kind(client: FlaskClient) -> None:
    """Programs that listen need not look again and again."""
    with changes(client) as told:
        job = client.post(SYNC, json=AAPL).get_json()["job_id"]
        assert ["jobs"] == next(told)
        client.delete(f"/api/v1/jobs/{job}")
        assert ["jobs"] == next(told)
        client.post("/api/v1/quotes/subscribe", json={"symbols": [AAPL]})
        assert ["subscriptions"] == next(told)
        client.put("/api/v1/schedules/all-series", json={"paused": True})
        assert ["schedules"] == next(told)


def test_several_changes_are_one_event(client: FlaskClient) -> None:
    """A slow reader gets each kind once."""
    with changes(client) as told:
        for interval in ("1d", "1h", "1m"):
            client.post(SYNC, json=AAPL | {"interval": interval})
        client.post("/api/v1/quotes/stop")
        seen: list[str] = []
        while "subscriptions" not in seen:
            seen += next(told)
        assert ["jobs", "subscriptions"] == sorted(seen)


def test_changes_that_may_have_been_missed_are_told(
    client: FlaskClient, cache: redis.Redis
) -> None:
    """After a lost subscription each kind is sent; it is the only one of the process."""
    with changes(client), changes(client) as told:
        assert [(JOBS_CHANNEL.encode(), 1)] == cache.pubsub_numsub(JOBS_CHANNEL)
        cache.client_kill_filter(_type="pubsub")
        until_all(told)


def test_a_listener_beside_others_misses_no_change(client: FlaskClient) -> None:
    """It too gets every kind at first, and each change from then on, however soon."""
    with changes(client), changes(client) as told:
        client.post("/api/v1/quotes/subscribe", json={"symbols": [AAPL]})
        assert ["subscriptions"] == next(told)


def test_the_subscription_ends_with_the_last_listener(
    client: FlaskClient, cache: redis.Redis
) -> None:
    """A process that nobody listens to has none."""
    with changes(client):
        pass

    def is_over() -> bool:
        return [(JOBS_CHANNEL.encode(), 0)] == cache.pubsub_numsub(JOBS_CHANNEL)

    wait_until("nobody listens", is_over, (), 60.0)
