"""`GET /metrics` of the API: its counters, the fleet's gauges, and no label from callers."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from pocketquant.coordination.fleet import MemberKind
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.symbols import Symbol
from pocketquant.machine import embedded
from pocketquant.settings import Settings
from pocketquant.wiring import Platform

OHLCV = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"
TROUBLES = ("stale", "gaps", "doubtful", "never_synced", "refused", "at_risk")
TABLES = Path(__file__).parents[3] / "docs" / "metrics.md"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
Serve = Callable[..., FlaskClient]


@pytest.fixture
def scrape() -> Callable[[FlaskClient], Samples]:
    """Scrapes as Prometheus does: returns each sample by its name and labels."""

    def once(client: FlaskClient) -> Samples:
        answer = client.get("/metrics")
        assert (200, "text/plain") == (answer.status_code, answer.mimetype)
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.get_data(as_text=True))
            for sample in family.samples
        }

    return once


@pytest.fixture
def growth(
    client: FlaskClient, scrape: Callable[[FlaskClient], Samples]
) -> Callable[..., dict[tuple[str, ...], float]]:
    """Returns how much an action adds to a counter, by the values of its labels."""

    def of(name: str, action: Callable[[], Any]) -> dict[tuple[str, ...], float]:
        before = scrape(client)
        action()
        after = scrape(client)
        return {
            tuple(value for _, value in labels): value - before.get((found, labels), 0.0)
            for (found, labels), value in after.items()
            if found == name and value != before.get((found, labels), 0.0)
        }

    return of


def test_docs_metrics_lists_exactly_the_existing_metrics(client: FlaskClient) -> None:
    """Each process exposes all of them; those it never counts have no samples."""
    text = client.get("/metrics").get_data(as_text=True)
    exposed = set(re.findall(r"^# TYPE (pocketquant_\w+)", text, re.MULTILINE))
    listed = re.findall(r"^\| `(pocketquant_\w+)`", TABLES.read_text("utf-8"), re.MULTILINE)
    assert sorted(exposed) == sorted(listed)


def test_requests_are_counted_by_route_never_by_path(client: FlaskClient, growth: Any) -> None:
    """Invented paths and methods make no new label."""

    def ask() -> None:
        client.get(OHLCV)
        client.get(OHLCV.replace("AAPL", "MSFT"))
        client.get("/made/up")
        client.get("/made/up/too")
        client.open("/health/live", method="MADEUP")

    ohlcv = "/api/v1/market-data/ohlcv/<exchange>/<path:symbol>"
    grown = growth("pocketquant_http_request_duration_seconds_count", ask)
    routes = {route for _, route, _ in grown}
    assert {"/metrics", "unmatched"} < routes
    (of_ohlcv,) = [labels for labels in grown if "/ohlcv/" in labels[1]]
    assert of_ohlcv[1].startswith(ohlcv[:40])
    assert ("GET", "404", 2) == (of_ohlcv[0], of_ohlcv[2], grown[of_ohlcv])
    assert 2 == grown["GET", "unmatched", "404"]
    assert 1 == grown["other", "unmatched", "405"]


def test_cache_hits_are_counted_by_layer(
    serve: Serve,
    settings: Settings,
    client: FlaskClient,
    store: Callable[..., None],
    daily: Callable[[int], Bars],
    growth: Any,
) -> None:
    """A first read misses both layers, a second hits the process, another process hits Redis."""
    store("NASDAQ:AAPL|1d", daily(3))
    lookups = "pocketquant_response_cache_lookups_total"
    both_miss = {("near", "miss"): 1.0, ("redis", "miss"): 1.0}
    assert both_miss == growth(lookups, lambda: client.get(OHLCV))
    assert {("near", "hit"): 1.0} == growth(lookups, lambda: client.get(OHLCV))
    another, in_redis = serve(settings), {("near", "miss"): 1.0, ("redis", "hit"): 1.0}
    assert in_redis == growth(lookups, lambda: another.get(OHLCV))
    nowhere = f"redis://127.0.0.1:{embedded.reserve_port()}"
    without = serve(settings.model_copy(update={"redis_url": nowhere}))
    assert {("redis", "away"): 1.0} == growth(lookups, lambda: without.get(OHLCV))
    reads = "pocketquant_store_operation_duration_seconds_count"
    assert {("read",): 1.0} == growth(reads, lambda: client.get(f"{OHLCV}?limit=2"))


def test_the_fleet_has_gauges(
    client: FlaskClient, platform: Platform, scrape: Callable[[FlaskClient], Samples]
) -> None:
    """They show servers, queues, units, pace, breaker and schedules, without any worker."""
    now = int(datetime.now(UTC).timestamp())
    platform.schedules.made(now)
    client.post(
        "/api/v1/market-data/sync/background", json={"symbol": "AAPL", "exchange": "NASDAQ"}
    )
    samples = scrape(client)
    for server in ("mongodb", "redis", "broker"):
        assert 1 == samples["pocketquant_up", (("dependency", server),)]
    for kind in MemberKind:
        assert 0 == samples["pocketquant_fleet_members", (("kind", kind),)]
    assert 1 == samples["pocketquant_queue_messages", (("queue", "bulk"),)]
    assert 1 == samples["pocketquant_units_waiting", (("queue", "bulk"),)]
    assert 0 <= samples["pocketquant_units_oldest_wait_seconds", (("queue", "bulk"),)] < 60
    assert 0 == samples["pocketquant_units_running", ()]
    rate = platform.settings.provider_start_rate
    assert rate == samples["pocketquant_pace_fetches_per_second", (("of", "now"),)]
    assert 1 == samples["pocketquant_breaker_state", (("state", "closed"),)]
    assert 0 == samples["pocketquant_breaker_state", (("state", "open"),)]
    assert 0 <= samples["pocketquant_schedule_late_seconds", (("schedule", "all-series"),)] < 60
    assert 0 == samples["pocketquant_wrong_calendars", ()]
    assert 0 == samples["pocketquant_schedule_series_at_risk", (("schedule", "all-series"),)]
    found = {
        name: samples["pocketquant_series_in_trouble", (("trouble", name),)] for name in TROUBLES
    }
    assert dict.fromkeys(TROUBLES, 0) | {"never_synced": 1} == found
    symbol = Symbol("NASDAQ", "AAPL")
    platform.calendars.keep(symbol, CalendarTexts("Mars", "24x7"), "unknown zone", now)
    assert 1 == scrape(client)["pocketquant_wrong_calendars", ()]


def test_shards_have_gauges_from_their_streamers(
    serve: Serve,
    settings: Settings,
    attend: Callable[..., None],
    scrape: Callable[[FlaskClient], Samples],
) -> None:
    """A shard without a streamer has `shard_attended` 0 and no other sample."""
    client = serve(settings.model_copy(update={"streamer_shards": 2}))
    aapl = {"symbol": "AAPL", "exchange": "NASDAQ"}
    client.post("/api/v1/quotes/subscribe", json={"symbols": [aapl]})
    attend("1-of-2", symbols=7, bars_waiting=3, connected_at=1.0)
    samples = scrape(client)
    assert 1 == samples["pocketquant_wished_symbols", ()]
    first, second = (("shard", "1-of-2"),), (("shard", "2-of-2"),)
    assert {first: 1, second: 0} == of(samples, "pocketquant_shard_attended")
    assert {first: 1} == of(samples, "pocketquant_shard_connected")
    assert {first: 7} == of(samples, "pocketquant_shard_symbols")
    assert {first: 0} == of(samples, "pocketquant_shard_refused_symbols")
    assert {first: 3} == of(samples, "pocketquant_shard_bars_waiting")
    client.post("/api/v1/quotes/stop")
    assert 0 == scrape(client)["pocketquant_wished_symbols", ()]


def of(samples: Samples, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Returns the samples of one metric by their labels."""
    return {labels: value for (found, labels), value in samples.items() if found == name}


def test_only_the_gauges_of_a_missing_server_are_absent(
    serve: Serve, settings: Settings, scrape: Callable[[FlaskClient], Samples]
) -> None:
    """They are absent rather than 0, and its `up` is 0."""
    nowhere = f"redis://127.0.0.1:{embedded.reserve_port()}"
    servers = {"redis_url": nowhere, "celery_broker_url": settings.redis_url}
    samples = scrape(serve(settings.model_copy(update=servers)))
    assert 0 == samples["pocketquant_up", (("dependency", "redis"),)]
    assert 1 == samples["pocketquant_up", (("dependency", "mongodb"),)]
    assert 0 == samples["pocketquant_queue_messages", (("queue", "bulk"),)]
    names = {name for name, _ in samples}
    lost = {"fleet_members", "pace_in_progress", "shard_attended", "shard_symbols"}
    assert not names & {f"pocketquant_{name}" for name in lost}
