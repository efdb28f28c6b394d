"""Schedules over HTTP: listed, changed, paused and run at once."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series
from pocketquant.wiring import Platform

ROOT = "/api/v1/schedules"
ALL_SERIES = f"{ROOT}/all-series"
AAPL = Series.parse("NASDAQ:AAPL|1d")

Work = Callable[..., object]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture
def run(platform: Platform) -> Callable[[], str]:
    """Runs due schedules as a tick does, plans their job and returns its id."""

    def once() -> str:
        platform.scheduler.run_due()
        schedule = platform.schedules.get("all-series")
        assert schedule
        assert schedule.last_job_id
        platform.planner.plan(schedule.last_job_id)
        return schedule.last_job_id

    return once


def test_there_are_three_schedules(client: FlaskClient) -> None:
    """From the first look on, before any worker has run."""
    after_close, everything, daily = sorted(
        client.get(ROOT).get_json(), key=lambda each: each["name"]
    )
    next_run_at = everything.pop("next_run_at")
    expected = {
        "name": "all-series",
        "description": "every tracked series of every active symbol",
        "cron": "0 */6 * * *",
        "after_close_minutes": None,
        "exchange": None,
        "symbols": [],
        "is_built_in": True,
        "n_bars": 500,
        "intervals": [],
        "paused": False,
        "last_run_at": None,
        "last_job_id": None,
        "last_job_state": None,
        "last_success_at": None,
        "seconds_since_last_success": None,
        "at_risk": 0,
    }
    assert expected == everything
    assert next_run_at.endswith("Z")
    assert 0 == _seconds(next_run_at) % (6 * 3600)
    assert 0 <= _seconds(next_run_at) - time.time() + 60 <= 6 * 3600 + 60
    assert ("after-close", None, 15) == tuple(
        after_close[name] for name in ("name", "cron", "after_close_minutes")
    )
    assert ("daily-series", 10, ["1d"]) == (daily["name"], daily["n_bars"], daily["intervals"])


def test_a_schedule_equals_its_entry_in_the_list(client: FlaskClient) -> None:
    """All fields agree."""
    assert client.get(ROOT).get_json()[1] == client.get(ALL_SERIES).get_json()


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_unknown_schedule_is_404_and_names_the_existing_ones(
    client: FlaskClient, method: str
) -> None:
    """A change of it does not create one."""
    answer = client.open(f"{ROOT}/hourly", method=method, json={"n_bars": 5})
    document = answer.get_json()
    assert (404, "not_found") == (answer.status_code, document["error"])
    assert (
        "there is no schedule 'hourly'; there are after-close, all-series, daily-series"
        == document["message"]
    )


def test_a_schedule_is_changed(client: FlaskClient) -> None:
    """Absent fields stay as they are; a new cron changes the next run at once."""
    before = client.get(ALL_SERIES).get_json()
    assert before == client.put(ALL_SERIES, json={}).get_json()
    changed = client.put(ALL_SERIES, json={"cron": " 30  7 * * MON ", "n_bars": 50})
    assert 200 == changed.status_code
    after = changed.get_json()
    next_run_at = datetime.fromtimestamp(_seconds(after["next_run_at"]), UTC)
    assert (0, 7, 30) == (next_run_at.weekday(), next_run_at.hour, next_run_at.minute)
    assert (
        before
        | {
            "cron": "30 7 * * MON",
            "n_bars": 50,
            "next_run_at": after["next_run_at"],
        }
        == after
    )
    assert after == client.get(ALL_SERIES).get_json()


def test_a_paused_schedule_has_no_next_run(client: FlaskClient) -> None:
    """It has one again once it is resumed."""
    before = client.get(ALL_SERIES).get_json()
    paused = client.put(ALL_SERIES, json={"paused": True}).get_json()
    assert before | {"paused": True, "next_run_at": None} == paused
    resumed = client.put(ALL_SERIES, json={"paused": False}).get_json()
    assert not resumed["paused"]
    assert _seconds(resumed["next_run_at"]) >= _seconds(before["next_run_at"])


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"cron": "0 0 30 2 *"}, "cron", "has a bad day-of-month"),
        ({"cron": "61 * * * *"}, "cron", "has a bad minute"),
        ({"cron": "hourly"}, "cron", "is not five fields"),
        ({"cron": "0 " * 3000}, "cron", "at most 200 characters"),
        ({"cron": 5}, "cron", "valid string"),
        ({"n_bars": 0}, "n_bars", "greater than or equal to 1"),
        ({"n_bars": 5001}, "n_bars", "less than or equal to 5000"),
        ({"n_bars": "5"}, "n_bars", "whole number"),
        ({"paused": "yes"}, "paused", "valid boolean"),
        ({"run_now": 1}, "run_now", "valid boolean"),
        ({"intervals": ["7h"]}, "intervals", "Input should be"),
        ({"after_close_minutes": -1}, "after_close_minutes", "greater than or equal to 0"),
        ({"exchange": "NAS DAQ"}, "exchange", "pattern"),
        ({"symbols": ["AAPL"]}, "symbols", "pattern"),
        ({"hour": 7}, "hour", "not permitted"),
    ],
)
def test_a_bad_change_is_422_and_changes_nothing(
    client: FlaskClient, body: dict[str, Any], field: str, reason: str
) -> None:
    """The error names the field and the reason; the valid fields are not applied either."""
    before = client.get(ALL_SERIES).get_json()
    answer = client.put(ALL_SERIES, json={"n_bars": 77, **body})
    document = answer.get_json()
    assert (422, "invalid_request") == (answer.status_code, document["error"])
    ((problem),) = document["errors"]["json"]
    assert field == problem["loc"][0]
    assert reason in problem["msg"]
    assert before == client.get(ALL_SERIES).get_json()


def test_a_requested_run_is_reported_until_its_end(
    client: FlaskClient, platform: Platform, run: Callable[[], str], work: Work
) -> None:
    """Its job and its success are shown, also while the schedule is paused."""
    platform.symbols.register(Listing(AAPL.symbol), AAPL.interval, 1_700_000_000)
    answer = client.put(ALL_SERIES, json={"run_now": True, "paused": True})
    assert (200, None) == (answer.status_code, answer.get_json()["last_run_at"])
    job_id = run()
    started = client.get(ALL_SERIES).get_json()
    assert (job_id, "pending", None) == (
        started["last_job_id"],
        started["last_job_state"],
        started["seconds_since_last_success"],
    )
    assert abs(_seconds(started["last_run_at"]) - time.time()) < 60
    work()
    platform.scheduler.run_due()
    ended = client.get(ALL_SERIES).get_json()
    assert "completed" == ended["last_job_state"]
    assert 0 <= ended["seconds_since_last_success"] < 60
    job = platform.jobs.get(job_id)
    assert job
    assert job.finished_at
    assert _seconds(ended["last_success_at"]) == int(job.finished_at.timestamp())


def test_run_now_false_requests_no_run(client: FlaskClient, platform: Platform) -> None:
    """No run is pending after it."""
    client.put(ALL_SERIES, json={"run_now": False})
    schedule = platform.schedules.get("all-series")
    assert schedule
    assert schedule.run_request is None


def test_an_expired_job_has_no_state(
    client: FlaskClient, platform: Platform, run: Callable[[], str]
) -> None:
    """Its id is still shown."""
    platform.symbols.register(Listing(AAPL.symbol), AAPL.interval, 1_700_000_000)
    client.put(ALL_SERIES, json={"run_now": True})
    job_id = run()
    platform.mongo["jobs"].delete_many({})
    shown = client.get(ALL_SERIES).get_json()
    assert (job_id, None) == (shown["last_job_id"], shown["last_job_state"])


def test_a_schedule_of_your_own(client: FlaskClient) -> None:
    """It is added once, shown with the others, changed, and removed."""
    body = {"name": "us", "cron": "5 * * * *", "exchange": "nasdaq", "intervals": ["1h", "1h"]}
    added = client.post(ROOT, json=body)
    shown = added.get_json()
    assert (201, "NASDAQ", ["1h"], False) == (
        added.status_code,
        shown["exchange"],
        shown["intervals"],
        shown["is_built_in"],
    )
    assert shown == client.get(added.headers["Location"]).get_json()
    assert "us" in [each["name"] for each in client.get(ROOT).get_json()]
    assert 409 == client.post(ROOT, json=body).status_code
    assert 409 == client.post(ROOT, json={**body, "name": "all-series"}).status_code
    changed = client.put(f"{ROOT}/us", json={"after_close_minutes": 20, "symbols": ["nyse:a"]})
    assert {"cron": None, "after_close_minutes": 20, "exchange": None, "symbols": ["NYSE:A"]} == {
        name: changed.get_json()[name]
        for name in ("cron", "after_close_minutes", "exchange", "symbols")
    }
    assert (204, b"") == _pair(client.delete(f"{ROOT}/us"))
    assert 404 == client.delete(f"{ROOT}/us").status_code
    assert 409 == client.delete(ALL_SERIES).status_code


def _pair(answer: TestResponse) -> tuple[int, bytes]:
    return answer.status_code, answer.data


@pytest.mark.parametrize(
    "body",
    [
        {"name": "us"},
        {"cron": "0 * * * *"},
        {"name": "U S", "cron": "0 * * * *"},
        {"name": "us", "cron": "0 * * * *", "after_close_minutes": 5},
        {"name": "us", "cron": "0 * * * *", "exchange": "NYSE", "symbols": ["NYSE:A"]},
    ],
)
def test_a_schedule_without_name_or_times_is_refused(
    client: FlaskClient, body: dict[str, Any]
) -> None:
    """422, and none is added."""
    assert 422 == client.post(ROOT, json=body).status_code
    assert 3 == len(client.get(ROOT).get_json())
