"""`POST /market-data/sync` and its job."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.coordination.nudges import unit_channel
from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import (
    BarsRefused,
    CaptchaRequired,
    NoPermission,
    ProviderTimeout,
    UnknownSymbol,
)
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import Stop, SyncReport
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings
from pocketquant.wiring import Platform

SYNC = "/api/v1/market-data/sync"
AAPL = {"symbol": "AAPL", "exchange": "NASDAQ"}

Work = Callable[..., Any]


@pytest.fixture
def call_sync(client: FlaskClient) -> Callable[..., "Future[Any]"]:
    """Sends a sync request in a thread; returns once its unit is in the ledger."""

    def call(body: dict[str, Any], query: str = "") -> "Future[Any]":
        units = client.application.extensions["pocketquant"].platform.mongo["units"]
        before = units.count_documents({})
        future = threads.submit(
            lambda: client.application.test_client().post(SYNC + query, json=body)
        )
        wait_until("the unit is written", lambda: units.count_documents({}) > before, (), 60)
        return future

    with ThreadPoolExecutor(4) as threads:
        yield call


def test_a_sync_answers_with_its_report(
    call_sync: Callable[..., "Future[Any]"], platform: Platform, daily: Any, work: Work
) -> None:
    """200 once the unit has ended, with its counts and the extent of the series."""
    platform.bars.upsert({Series.parse("NASDAQ:AAPL|1h"): daily(3)})
    waiting = call_sync(AAPL | {"interval": "1h", "n_bars": 7})
    unit = work()
    answer = waiting.result(60)
    expected = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "interval": "1h",
        "status": "completed",
        "fetched": 7,
        "inserted": 4,
        "changed": 1,
        "unchanged": 0,
        "refused": 2,
        "refusals": {"not_finite": 1, "bad_time": 1},
        "forming": 0,
        "bar_count": 3,
        "first_bar_at": "1970-01-01T00:00:00Z",
        "last_bar_at": "1970-01-03T00:00:00Z",
        "stop": None,
        "reached_back_to": None,
        "history_begins_at": None,
        "job_id": unit.jobs[0],
    }
    assert (200, expected) == (answer.status_code, answer.get_json())


def test_a_sync_of_a_range_says_why_it_stopped(
    call_sync: Callable[..., "Future[Any]"], platform: Platform
) -> None:
    """The report has the reason, how far back it came, and when history begins."""
    waiting = call_sync(AAPL | {"start": "2020-01-01"})
    (found,) = platform.mongo["units"].find({"state": "queued"})
    unit = platform.ledger.claim(found["_id"])
    assert unit is not None
    assert (1_577_836_800, None) == (unit.request.start, unit.request.end)
    series = unit.request.series
    report = SyncReport(
        series,
        *(7, 7, 0, 0, {}, 7, 1_600_000_000, 1_700_000_000),
        stop=Stop.LIMIT,
        reached_back_to=1_600_000_000,
        history_begins_at=0,
    )
    platform.ledger.finish(unit, report)
    platform.nudges.announce(unit_channel(unit.id))
    answer = waiting.result(60).get_json()
    assert ("limit", "2020-09-13T12:26:40Z", "1970-01-01T00:00:00Z") == (
        answer["stop"],
        answer["reached_back_to"],
        answer["history_begins_at"],
    )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnknownSymbol("NASDAQ:AAPL is unknown"), 404, "unknown_symbol"),
        (NoPermission("no right to NASDAQ:AAPL"), 403, "no_permission"),
        (ProviderTimeout("no answer in 30 s"), 504, "provider_timeout"),
        (CaptchaRequired("set TRADINGVIEW_TOKEN"), 502, "captcha_required"),
        (BarsRefused("refused: bad_time 300"), 502, "provider_bars_refused"),
    ],
)
def test_a_failed_sync_answers_with_its_error_and_job(
    call_sync: Callable[..., "Future[Any]"], work: Work, error: Any, status: int, code: str
) -> None:
    """The answer is sent at once, whether the unit failed for good or was put back."""
    waiting = call_sync(AAPL)
    unit = work(error)
    answer = waiting.result(60)
    document = answer.get_json()
    assert (status, code, str(error)) == (
        answer.status_code,
        document["error"],
        document["message"],
    )
    assert {"job_id": unit.jobs[0]} == document["errors"]


@pytest.mark.parametrize(("path", "query"), [(SYNC, "?timeout=0"), (SYNC + "/background", "")])
def test_a_background_sync_is_a_job(client: FlaskClient, work: Work, path: str, query: str) -> None:
    """202 has the job and its location; the job stays there after its end."""
    answer = client.post(path + query, json=AAPL)
    job = answer.get_json()
    assert 202 == answer.status_code
    assert f"/api/v1/jobs/{job['job_id']}" == answer.headers["Location"]
    nothing = dict.fromkeys(("running", "paused", "completed", "failed", "cancelled"), 0)
    counts = {"total": 1, "queued": 1, **nothing}
    assert ("sync", "pending", counts) == (job["kind"], job["state"], job["counts"])
    assert job["created_at"].endswith("Z")
    assert job["finished_at"] is None
    work()
    done = client.get(answer.headers["Location"]).get_json()
    assert ("completed", 1) == (done["state"], done["counts"]["completed"])
    assert done["finished_at"].endswith("Z")


def test_a_sync_that_takes_too_long_goes_on_as_a_job(client: FlaskClient, work: Work) -> None:
    """The request ends at its time-out; the unit stays and is run."""
    answer = client.post(SYNC + "?timeout=0.2", json=AAPL)
    assert 202 == answer.status_code
    work()
    assert "completed" == client.get(answer.headers["Location"]).get_json()["state"]


def test_requests_beyond_the_waiting_slots_get_a_job_at_once(
    serve: Callable[..., FlaskClient], settings: Settings
) -> None:
    """One of two threads may wait, so that the other serves quick requests."""
    client = serve(settings.model_copy(update={"api_threads": 2}))
    slots = client.application.extensions["pocketquant"].waiting_calls
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lambda: client.post(SYNC + "?timeout=10", json=AAPL).status_code)
        wait_until("a call waits", lambda: slots._value == 0, (), 60)
        second = client.post(SYNC + "?timeout=60", json={"symbol": "MSFT", "exchange": "NASDAQ"})
        assert (202, True) == (second.status_code, waiting.running())
        assert 202 == waiting.result(60)
    assert 1 == slots._value


def test_an_unknown_job_is_404(client: FlaskClient) -> None:
    """The message quotes the id, cut short."""
    for job_id in ("6565f1f0a7b1c2d3e4f50617", "x" * 5000, "%00", "..."):
        answer = client.get(f"/api/v1/jobs/{job_id}")
        assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])


def test_an_empty_series_has_no_first_and_last_bar(
    call_sync: Callable[..., "Future[Any]"], platform: Platform, work: Work
) -> None:
    """A listing that was never traded completes with zero bars and null times."""
    platform.bars.upsert({Series.parse("NASDAQ:AAPL|1d"): Bars.empty()})
    waiting = call_sync(AAPL)
    work()
    report = waiting.result(60).get_json()
    assert (0, None, None) == (report["bar_count"], report["first_bar_at"], report["last_bar_at"])
