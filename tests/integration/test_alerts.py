"""The alert rules for Prometheus fire when they should, and only then: by its own `promtool`."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

RULES = Path(__file__).parents[2] / "deploy" / "alerts.yml"


class Case(NamedTuple):
    """Series with which an alert fires at a minute, and others with which it never does."""

    fires: dict[str, str]
    is_quiet: dict[str, str]
    at_minute: int
    summary: str
    labels: dict[str, str] | None = None


WAITING = 'units_waiting{instance="a", queue="bulk"}'
CASES = {
    "NothingFinishes": Case(
        {WAITING: "3x60", 'syncs_total{result="deferred"}': "0+1x60"},
        {WAITING: "3x60", 'syncs_total{result="completed"}': "0+1x60"},
        25,
        "units wait, and none has ended for ten minutes",
    ),
    "ScheduleWithoutSuccess": Case(
        {'schedule_since_success_seconds{schedule="all-series"}': "28801x60"},
        {
            'schedule_since_success_seconds{schedule="all-series"}': "28800x60",
            'schedule_since_success_seconds{schedule="daily-series"}': "99999x60",
        },
        1,
        "all-series runs every six hours, and has not succeeded for eight",
    ),
    "ScheduleLate": Case(
        {'schedule_late_seconds{schedule="daily"}': "601x60"},
        {'schedule_late_seconds{schedule="daily"}': "600x60"},
        1,
        "daily is due and not started: is a beat alive?",
        {"schedule": "daily"},
    ),
    "HistoryAtRisk": Case(
        {'schedule_series_at_risk{schedule="daily"}': "1x130"},
        {'schedule_series_at_risk{schedule="daily"}': "1x110 0x20"},
        125,
        "series of daily lose history soon, and are not synced: see /quality?show=at+risk",
        {"schedule": "daily"},
    ),
    "SeriesNotWhole": Case(
        {'series_in_trouble{trouble="gaps"}': "3x730"},
        {
            'series_in_trouble{trouble="gaps"}': "3x700 0x30",
            'series_in_trouble{trouble="refused"}': "3x730",
        },
        725,
        "3 series are gaps: see the page's /quality",
        {"trouble": "gaps"},
    ),
    "BreakerOpen": Case(
        {'breaker_state{state="closed"}': "0x60", 'breaker_state{state="open"}': "1x60"},
        {'breaker_state{state="closed"}': "0x4 1x56", 'breaker_state{state="open"}': "1x4 0x56"},
        8,
        "the provider is down; syncs wait",
    ),
    "NoProcess": Case(
        {'fleet_members{kind="worker"}': "0x60"},
        {'fleet_members{kind="worker"}': "1x60", 'fleet_members{kind="streamer"}': "0x60"},
        4,
        "no worker is alive",
        {"kind": "worker"},
    ),
    "ServerAway": Case(
        {'up{dependency="redis", instance="a"}': "0x60"},
        {'up{dependency="redis", instance="a"}': "0x60", 'up{dependency="redis"}': "1x60"},
        3,
        "redis does not answer",
        {"dependency": "redis"},
    ),
    "ShardWithoutStreamer": Case(
        {'shard_attended{shard="1"}': "0x60", "wished_symbols": "7x60"},
        {'shard_attended{shard="1"}': "0x60", "wished_symbols": "0x60"},
        3,
        "shard 1 has no streamer: is there a standby?",
        {"shard": "1"},
    ),
    "NotConnectedForQuotes": Case(
        {'shard_connected{shard="1"}': "0x60", 'shard_symbols{shard="1"}': "7x60"},
        {'shard_connected{shard="1"}': "0x60", 'shard_symbols{shard="1"}': "0x60"},
        8,
        "shard 1 receives no quotes",
        {"shard": "1"},
    ),
    "LiveBarsWait": Case(
        {'shard_bars_waiting{shard="1"}': "50001x60"},
        {'shard_bars_waiting{shard="1"}': "50000x60"},
        4,
        "live bars of shard 1 wait for MongoDB",
        {"shard": "1"},
    ),
    "LiveBarsDropped": Case(
        {'live_bars_total{result="dropped"}': "0x5 5x55"},
        {'live_bars_total{result="dropped"}': "5x60", 'live_bars_total{result="ok"}': "0+1x60"},
        8,
        "too many live bars waited; their series are synced later",
    ),
    "StreamerBehind": Case(
        {'stream_lag_seconds{instance="a"}': "3x60"},
        {'stream_lag_seconds{instance="a"}': "2x60"},
        4,
        "a streamer receives more quotes than it can process: use more shards",
        {"instance": "a"},
    ),
    "LateTicks": Case(
        {"live_late_ticks_total": "0+2x60", "live_ticks_total": "0+1000x60"},
        {"live_late_ticks_total": "0+1x60", "live_ticks_total": "0+2000x60"},
        25,
        "more than one tick in a thousand is late: use a longer grace period?",
    ),
    "ReconnectsOften": Case(
        {'stream_connections_total{instance="a", outcome="ok"}': "0+1x60"},
        {
            'stream_connections_total{instance="a", outcome="ok"}': "0+1x4 4x56",
            'stream_connections_total{instance="a", outcome="connection_lost"}': "0+1x60",
        },
        20,
        "the connection for quotes breaks often; each gap causes repairs",
        {"instance": "a"},
    ),
}


def alert_test(name: str, series: dict[str, str], minute: int, *fired: Any) -> dict[str, Any]:
    """Return a test of one alert in promtool's own form."""
    values = [{"series": f"pocketquant_{key}", "values": each} for key, each in series.items()]
    expected = {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": list(fired)}
    return {"name": name, "interval": "1m", "input_series": values, "alert_rule_test": [expected]}


def test_each_alert_fires_and_is_quiet(tmp_path: Path) -> None:
    """Each rule has a case of either kind; promtool tests all of them."""
    assert list(CASES) == re.findall(r"alert: (\w+)", RULES.read_text())
    promtool = shutil.which("promtool") or "promtool"
    if promtool == "promtool" and "CI" not in os.environ:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    tests = []
    for name, case in CASES.items():
        alert = {"exp_labels": case.labels or {}, "exp_annotations": {"summary": case.summary}}
        tests.append(alert_test(name, case.fires, case.at_minute, alert))
        tests.append(alert_test(name, case.is_quiet, case.at_minute))
    file = tmp_path / "cases.json"  # which is YAML too
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": tests}))
    ran = subprocess.run(
        [promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr
