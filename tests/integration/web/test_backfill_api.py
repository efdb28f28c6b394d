"""`POST /market-data/backfill`, its estimate, and the pause of its job."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.coordination.handshakes import HandshakeRules, Handshakes
from pocketquant.domain.backfills import Reach
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.coverage import Coverage, CoverageState, Covered
from pocketquant.domain.dates import to_date
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import Stop
from pocketquant.settings import Settings
from pocketquant.simulator.server import Simulator, running
from pocketquant.storage.bars import Extent
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.wiring import Platform
from tests.integration.web.conftest import platform_of

API = "/api/v1"
BACKFILL = f"{API}/market-data/backfill"
AAPL = {"symbol": "AAPL", "exchange": "NASDAQ"}
MSFT = {"symbol": "MSFT", "exchange": "NASDAQ"}
NOSUCH = {"symbol": "NOSUCH", "exchange": "NASDAQ"}
NOW = 1_795_016_070  # 2026-11-18T15:34:30Z
LISTED = "2000-01-03T14:30:00Z"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running(clock=lambda: float(NOW)) as simulator:
        yield simulator


@pytest.fixture
def client(
    serve: Callable[..., FlaskClient], settings: Settings, simulator: Simulator
) -> FlaskClient:
    """A client of an application with the simulator as its provider."""
    urls = {"tradingview_url": simulator.url, "tradingview_http_url": simulator.http_url}
    return serve(settings.model_copy(update=urls))


@pytest.fixture
def platform(client: FlaskClient) -> Platform:
    return platform_of(client.application)


def body(*symbols: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"symbols": list(symbols or [AAPL]), "intervals": ["1h"], "start": "all", **more}


def meet(platform: Platform, series: str, reach: Reach) -> None:
    """Note how far back a range has reached, as its last page does."""
    platform.statuses.mark_stored(
        Series.parse(series), Extent(0, None, None), None, is_last=True, reach=reach
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"start": "2024-01-02", "end": "2024-01-02"}, "end"),
        ({"start": "2999-01-01"}, "start"),
        ({"start": "1899-12-31"}, "start"),
        ({"start": "everything"}, "start"),
        ({"start": "all", "end": "2999-01-01"}, "end"),
        ({"intervals": []}, "intervals"),
        ({"symbols": []}, "symbols"),
        ({"start": None}, "start"),
    ],
)
def test_a_wrong_range_is_refused_by_name(
    client: FlaskClient, wrong: dict[str, Any], field: str
) -> None:
    """422 names the field, and no job is made."""
    for path in (BACKFILL, f"{BACKFILL}/estimate"):
        answer = client.post(path, json=body() | wrong)
        assert 422 == answer.status_code
        assert {field} == {each["loc"][0] for each in answer.get_json()["errors"]["json"]}
    assert [] == client.get(f"{API}/jobs").get_json()


def test_a_backfill_is_accepted_with_its_estimate(client: FlaskClient, platform: Platform) -> None:
    """History begins where the provider says; an unknown symbol and an unknown limit are named."""
    platform.calendars.keep(
        Series.parse("NASDAQ:AAPL|1h").symbol,
        CalendarTexts("America/New_York", "0930-1600"),
        None,
        now=0,
    )
    answer = client.post(BACKFILL, json=body(AAPL, AAPL, NOSUCH))
    job = answer.get_json()
    assert (202, f"{API}/jobs/{job['job_id']}") == (answer.status_code, answer.headers["Location"])
    assert ("backfill", "pending", 2) == (job["kind"], job["state"], job["counts"]["total"])
    apple, unknown = job["estimate"]["series"]
    assert ("beginning", LISTED) == (apple["bound"], apple["since"])
    assert 47_000 < apple["bars"] < 51_000
    assert (2, 1, apple["bars"], apple["pages"], None) == tuple(
        job["estimate"][name]
        for name in ("series_count", "unknown_count", "bars", "pages", "limit_bars")
    )
    assert ("unknown", None, None) == tuple(unknown[name] for name in ("bound", "bars", "pages"))
    progress = client.get(f"{API}/jobs/{job['job_id']}").get_json()["backfill"]
    assert {"series_count": 2, "unknown_count": 1} == {
        name: progress["estimate"][name] for name in ("series_count", "unknown_count")
    }
    assert (0, 0.0, {}) == tuple(progress[name] for name in ("fetched", "share_of_time", "stops"))


def test_more_than_the_plan_serves_is_estimated_honestly(
    client: FlaskClient, platform: Platform
) -> None:
    """By the newest sync that met the limit; where history ended before, it is not asked again."""
    for asked_at, bars in ((1_700_000_000, 5_000), (NOW, 20_000)):
        met = Reach(Stop.LIMIT, 1_600_000_000, bars, asked_at)
        meet(platform, f"NASDAQ:{'MSFT' if bars == 5_000 else 'IBM'}|1h", met)
    meet(platform, "NASDAQ:AAPL|1h", Reach(Stop.END, NOW - 3600 * 100, 99, NOW))
    answer = client.post(f"{BACKFILL}/estimate", json=body(AAPL, MSFT))
    estimate = answer.get_json()
    assert (200, 20_000) == (answer.status_code, estimate["limit_bars"])
    assert estimate["reported_limit_bars"] is None
    ended, limited = estimate["series"]
    assert "beginning" == ended["bound"]
    assert ("limit", 20_000, 4) == (limited["bound"], limited["bars"], limited["pages"])
    assert [] == client.get(f"{API}/jobs").get_json()


def test_an_estimate_does_not_need_the_provider(client: FlaskClient, simulator: Simulator) -> None:
    """Beginnings that do not arrive in time stay unknown."""
    simulator.order("rate_limit")
    estimate = client.post(f"{BACKFILL}/estimate", json=body()).get_json()
    assert ["unknown"] == [each["bound"] for each in estimate["series"]]
    assert (None, 5_000) == (estimate["limit_bars"], estimate["reported_limit_bars"])
    estimate = client.post(f"{BACKFILL}/estimate", json=body(start="2024-01-02")).get_json()
    assert ["start"] == [each["bound"] for each in estimate["series"]]


def test_an_estimate_keeps_to_the_pace_of_handshakes(
    client: FlaskClient, platform: Platform, simulator: Simulator
) -> None:
    """While they pause, beginnings stay unknown, and no connection is made."""
    Handshakes(platform.cache, HandshakeRules(1.0, 8, first_pause_seconds=50.0)).refused()
    estimate = client.post(f"{BACKFILL}/estimate", json=body()).get_json()
    assert ["unknown"] == [each["bound"] for each in estimate["series"]]
    assert 0 == simulator.tally.connections


def test_an_estimate_leaves_out_what_was_fetched(client: FlaskClient, platform: Platform) -> None:
    """It counts those bars apart; they are not requested again."""
    hours = Series.parse("NASDAQ:AAPL|1h")
    covered = Covered(NOW - 3600 * 7_000, NOW - 3600 * 1_000, CoverageState.COMPLETE, NOW)
    kept = KeptCoverage(Coverage((covered,)))
    platform.statuses.mark_stored(hours, Extent(0, None, None), None, kept, is_last=True)
    start = to_date(NOW - 3600 * 9_000).isoformat()
    now = time.time()
    with_gap = client.post(f"{BACKFILL}/estimate", json=body(AAPL, MSFT, start=start)).get_json()
    apple, other = with_gap["series"]
    assert 6_000 == apple["covered"]
    assert 0 == other["covered"]
    assert apple["bars"] == other["bars"] - 6_000
    assert other["bars"] == pytest.approx(9_000 + (now - NOW) / 3600, abs=2)


def test_a_job_is_paused_and_resumed(client: FlaskClient, platform: Platform) -> None:
    """Its state says so; 404 for an unknown job, 409 for one that has ended."""
    job_id = client.post(BACKFILL, json=body()).get_json()["job_id"]
    platform.planner.plan(job_id)
    path = f"{API}/jobs/{job_id}"
    paused = client.post(f"{path}/pause")
    assert (200, "paused", 1) == (
        paused.status_code,
        paused.get_json()["state"],
        paused.get_json()["counts"]["paused"],
    )
    assert [job_id] == [job["job_id"] for job in client.get(f"{API}/jobs?state=paused").get_json()]
    (unit,) = client.get(f"{path}/units?state=paused").get_json()
    assert "paused" == unit["state"]
    resumed = client.post(f"{path}/resume").get_json()
    assert ("pending", 0) == (resumed["state"], resumed["counts"]["paused"])
    client.delete(path)
    for change in ("pause", "resume"):
        assert 409 == client.post(f"{path}/{change}").status_code
        assert 404 == client.post(f"{API}/jobs/nonsense/{change}").status_code
