"""Announcements in Redis, of real workers, beats and streamers."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
import requests

from pocketquant.coordination.fleet import Fleet, Member, MemberKind
from pocketquant.machine import embedded
from pocketquant.machine.embedded import HOST
from pocketquant.machine.programs import beat_command, streamer_command, worker_command
from pocketquant.presence.fleet_member import streamer_presence
from pocketquant.presence.metrics_page import open_metrics_page
from pocketquant.servers.connections import wait_until
from pocketquant.wiring import Platform

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def fleet(cache: redis.Redis) -> Fleet:
    """A fleet without members."""
    return Fleet(cache)


@pytest.fixture
def start(wired: Platform, tmp_path: Path) -> Iterator[Start]:
    """Starts processes with the platform's settings, some changed; they end with the test."""
    with ExitStack() as ends:

        def one(command: list[str], **changes: Any) -> "subprocess.Popen[bytes]":
            settings = wired.settings.model_copy(update=changes)
            log = ends.enter_context((tmp_path / "log").open("ab"))
            environment = settings.environment_of_children()
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            ends.callback(_end, process)
            return process

        yield one


def test_a_member_is_listed_until_it_withdraws(fleet: Fleet) -> None:
    """Members are in order of kind and name; announcing again changes one."""
    fleet.announce(_member("2", "b", busy=1))
    fleet.announce(_member("1", "a"))
    fleet.announce(_member("2", "b", busy=3))
    assert [("a", 0), ("b", 3)] == [(member.name, member.busy) for member in fleet.members()]
    fleet.withdraw("2")
    fleet.withdraw("2")
    assert ["a"] == [member.name for member in fleet.members()]


def test_a_member_that_fell_silent_is_forgotten(fleet: Fleet, cache: redis.Redis) -> None:
    """Its announcement expires after 20 s, and its id is removed from the index."""
    fleet.announce(_member("1", "a"))
    assert 15 < cache.ttl("fleet:member:1") <= 20
    cache.pexpire("fleet:member:1", 5_000)
    (seen,) = fleet.members()
    assert 15 <= seen.silent_seconds <= 20
    cache.delete("fleet:member:1")
    assert [] == fleet.members()
    assert 0 == cache.scard("fleet:members")


def test_an_emptied_redis_knows_the_fleet_with_the_next_announcement(
    fleet: Fleet, cache: redis.Redis
) -> None:
    """Members announce themselves again, and are listed."""
    fleet.announce(_member("1", "a"))
    cache.flushall()
    assert [] == fleet.members()
    fleet.announce(_member("1", "a"))
    assert ["a"] == [member.name for member in fleet.members()]


def test_an_older_process_is_a_member_too(fleet: Fleet, cache: redis.Redis) -> None:
    """A process of an older version, which announces no shard, is listed."""
    fleet.announce(_member("1", "a"))
    said = msgspec.json.decode(cache.get("fleet:member:1"))
    del said["shard"]
    cache.set("fleet:member:1", msgspec.json.encode(said), ex=20)
    assert [("a", None)] == [(member.name, member.shard) for member in fleet.members()]


def test_a_streamer_announces_the_shard_that_it_has(fleet: Fleet, wired: Platform) -> None:
    """It announces no shard while it stands by; it serves metrics, and withdraws at its end."""
    for shard in ("1-of-2", None):
        presence = streamer_presence(fleet, wired.settings, wired.loops, lambda shard=shard: shard)
        wait_until("it is there", fleet.members, (), 60)
        (seen,) = fleet.members()
        assert seen.clock_ahead_seconds is not None
        assert (MemberKind.STREAMER, os.getpid(), shard) == (seen.kind, seen.pid, seen.shard)
        assert seen.name.startswith(f"streamer-{os.getpid()}@")
        assert 0 == _value(seen, "live_bars_waiting")
        presence.end()
        assert [] == fleet.members()


def test_a_worker_and_a_beat_announce_themselves_and_leave(
    start: Start, wired: Platform, tmp_path: Path
) -> None:
    """They are listed with slots, queues and metrics; the worker's file is removed at its end."""
    alive = tmp_path / "run" / "alive"
    worker = start(worker_command(name="w"), worker_slots=3, worker_alive_file=str(alive))
    beat = start(beat_command(), tick_seconds=1.0)
    wait_until("both are there", lambda: len(wired.fleet.members()) == 2, (), 60)
    shown_beat, shown_worker = sorted(wired.fleet.members(), key=lambda member: member.kind)
    assert (MemberKind.BEAT, beat.pid) == (shown_beat.kind, shown_beat.pid)
    assert (worker.pid, 3) == (shown_worker.pid, shown_worker.slots)
    assert shown_worker.name.startswith("w@")
    queues = ("interactive", "bulk", "scheduled", "repair", "backfill")
    assert queues == shown_worker.queues
    wait_until(
        "a tick waited", lambda: _value(shown_worker, "queue_wait_seconds_count") > 0, (), 60
    )
    wait_until("a tick was sent", lambda: _value(shown_beat, "ticks_published_total") > 0, (), 60)
    assert alive.exists()
    for process in (worker, beat):
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(60)
    assert [] == wired.fleet.members()
    assert not alive.exists()


def test_a_streamer_takes_the_shard_and_releases_it_at_sigterm(
    start: Start, wired: Platform, cache: redis.Redis, tmp_path: Path
) -> None:
    """Meanwhile it is in the fleet and its file is touched; at its end both are removed."""
    alive = tmp_path / "run" / "alive"
    streamer = start(streamer_command(), streamer_alive_file=str(alive))
    wait_until("it has the shard", wired.board.statuses, (), 60)
    _expect_touches(alive, 2)
    assert [streamer.pid] == [member.pid for member in wired.fleet.members()]
    streamer.send_signal(signal.SIGTERM)
    assert 0 == streamer.wait(60)
    assert [] == wired.fleet.members()
    assert not alive.exists()
    assert 0 == cache.exists("lease:streamer:1-of-1")


def test_a_taken_port_leaves_a_worker_without_metrics() -> None:
    """A worker whose metrics port is taken logs it and works; the other page still answers."""
    first = open_metrics_page(HOST, 0)
    assert first is not None
    port = int(first.url.rpartition(":")[2].partition("/")[0])
    assert open_metrics_page(HOST, port) is None
    assert requests.get(first.url, timeout=60).ok
    first.close()


@pytest.mark.fault
@pytest.mark.timeout(180)
def test_a_worker_without_redis_is_alive_and_comes_back_to_the_fleet(
    start: Start, tmp_path: Path
) -> None:
    """Its file is touched while Redis hangs or is away; afterwards the worker is listed again."""
    alive = tmp_path / "alive"
    server = embedded.private_redis(tmp_path)
    with embedded.running(server) as first, redis.Redis.from_url(server.url) as client:
        start(worker_command(), redis_url=server.url, worker_alive_file=str(alive))
        fleet = Fleet(client)
        wait_until("it is there", lambda: len(fleet.members()) == 1, (), 60)
        first.send_signal(signal.SIGSTOP)
        _expect_touches(alive, 5)
        first.send_signal(signal.SIGCONT)
    _expect_touches(alive, 5)
    with embedded.running(server), redis.Redis.from_url(server.url) as client:
        client.flushall()
        wait_until("it is back", lambda: len(Fleet(client).members()) == 1, redis.RedisError, 60)
        _expect_touches(alive, 2)


def _expect_touches(file: Path, count: int) -> None:
    """Wait until the file is touched this many times more; a healthy worker does so each second."""
    seen = {file.stat().st_mtime_ns}

    def is_enough() -> bool:
        seen.add(file.stat().st_mtime_ns)
        return len(seen) > count

    wait_until(f"{file} is touched {count} times", is_enough, (), 3 * count + 10)


def _value(member: Member, name: str) -> float:
    """The sum of a metric over its labels."""
    assert member.metrics_url is not None
    lines = requests.get(member.metrics_url, timeout=60).text.splitlines()
    wanted = [line for line in lines if line.startswith(f"pocketquant_{name}")]
    return sum(float(line.rpartition(" ")[2]) for line in wanted)


def _member(member_id: str, name: str, busy: int = 0) -> Member:
    return Member(
        id=member_id,
        kind=MemberKind.WORKER,
        name=name,
        host="node-1",
        pid=os.getpid(),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        version="0.1.0",
        slots=4,
        busy=busy,
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait(60)
