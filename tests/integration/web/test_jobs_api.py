"""Jobs over HTTP: bulk requests, lists, streams, cancellation, retries."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.domain.errors import ProviderTimeout, UnknownSymbol
from pocketquant.domain.syncs import RangeProgress, Stop, SyncReport
from pocketquant.settings import Settings
from pocketquant.storage.units import Unit
from pocketquant.wiring import Platform

BULK = "/api/v1/market-data/sync/bulk"
JOBS = "/api/v1/jobs"

Json = dict[str, Any]
Make = Callable[..., str]


def symbols(count: int) -> list[Json]:
    return [{"exchange": "SIM", "symbol": f"S{number:04d}"} for number in range(1, count + 1)]


@pytest.fixture
def make(client: FlaskClient, platform: Platform) -> Make:
    """Creates and plans a bulk job; returns its id."""

    def bulk(count: int, **fields: Any) -> str:
        answer = client.post(BULK, json={"symbols": symbols(count), **fields})
        assert 202 == answer.status_code, answer.get_json()
        job_id = str(answer.get_json()["job_id"])
        platform.planner.plan(job_id)
        return job_id

    return bulk


def units_of(platform: Platform, job_id: str) -> list[Unit]:
    return platform.jobs.units(job_id, None, None, 0, 1000)[0]


def complete(platform: Platform, unit: Unit) -> None:
    held = platform.ledger.claim(unit.id)
    assert held is not None
    finish(platform, held)


def finish(platform: Platform, held: Unit) -> None:
    platform.ledger.finish(held, SyncReport(held.request.series, 1, 1, 0, 0, {}, 1, 0, 0))


def fail(platform: Platform, unit: Unit, error: UnknownSymbol | ProviderTimeout) -> None:
    held = platform.ledger.claim(unit.id)
    assert held is not None
    platform.ledger.fail(held, error)


def test_a_bulk_job_is_accepted_at_once(client: FlaskClient) -> None:
    """202 counts all units before any of them is written."""
    body = {"symbols": symbols(3), "intervals": ["1h", "1d"], "n_bars": 50}
    answer = client.post(BULK, json=body)
    job = answer.get_json()
    assert (202, f"{JOBS}/{job['job_id']}") == (answer.status_code, answer.headers["Location"])
    assert ("bulk", "pending") == (job["kind"], job["state"])
    ended = {"completed": 0, "failed": 0, "cancelled": 0}
    expected = {"total": 6, "queued": 6, "running": 0, "paused": 0, **ended}
    assert expected == job["counts"]


def test_ten_thousand_of_the_longest_names_are_accepted(client: FlaskClient) -> None:
    """The limits of a single symbol and of the body agree."""
    longest = [
        {"exchange": "E" * 32, "symbol": f"{'T' * 59}{number:05d}"} for number in range(10_000)
    ]
    answer = client.post(BULK, json={"symbols": longest})
    assert (202, 10_000) == (answer.status_code, answer.get_json()["counts"]["total"])


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"symbols": [*symbols(7), {"exchange": "SIM", "symbol": "no such"}]}, ["symbols", 7]),
        ({"symbols": [*symbols(7), {"symbol": "S0001"}]}, ["symbols", 7]),
        ({"symbols": []}, ["symbols"]),
        ({"symbols": symbols(1) * 10_001}, ["symbols"]),
        ({"symbols": symbols(1), "interval": "7m"}, ["interval"]),
        ({"symbols": symbols(1), "intervals": []}, ["intervals"]),
        ({"symbols": symbols(1), "interval": "1d", "intervals": ["1h"]}, []),
        ({"symbols": symbols(1), "n_bars": 5001}, ["n_bars"]),
        ({"symbols": symbols(1), "start": "1800-01-01"}, ["start"]),
        ({"symbols": symbols(1), "start": "2024-02-01", "end": "2024-01-01"}, ["end"]),
    ],
)
def test_a_bulk_request_with_one_error_is_refused(
    client: FlaskClient, platform: Platform, body: Json, location: list[Any]
) -> None:
    """422 names the location of the error; no job is written."""
    answer = client.post(BULK, json=body)
    (problem,) = answer.get_json()["errors"]["json"]
    assert (422, location) == (answer.status_code, problem["loc"][: len(location)])
    assert 0 == platform.mongo["jobs"].count_documents({})


def test_a_range_in_bulk(client: FlaskClient, platform: Platform) -> None:
    """Each sync of the job has the range; its progress and its stop are shown."""
    body = {"symbols": symbols(2), "intervals": ["1h"], "start": "2020-01-01", "end": "2024-01-31"}
    job_id = client.post(BULK, json=body).get_json()["job_id"]
    platform.planner.plan(job_id)
    units = client.get(f"{JOBS}/{job_id}/units").get_json()
    expected = ("2020-01-01T00:00:00Z", "2024-01-31T00:00:00Z", None, None)
    shown = ("start", "end", "reached_back_to", "stop")
    assert [expected] * 2 == [tuple(unit[name] for name in shown) for unit in units]
    held = platform.ledger.claim(units[0]["unit_id"])
    assert held is not None
    progress = RangeProgress(held.request.end, oldest=1_600_000_000, stop=Stop.LIMIT)
    platform.ledger.note_progress(held, progress)
    unit = client.get(f"{JOBS}/{job_id}/units").get_json()[0]
    assert (*expected[:2], "2020-09-13T12:26:40Z", "limit") == tuple(unit[name] for name in shown)


@pytest.mark.parametrize("path", [BULK, "/api/v1/market-data/sync/background"])
def test_a_request_repeated_with_its_key_returns_its_job(client: FlaskClient, path: str) -> None:
    """Another body with the same key is 422."""
    one = {"symbols": symbols(1)} if path == BULK else symbols(1)[0]
    other = {"symbols": symbols(2)} if path == BULK else symbols(2)[1]
    headers = {"Idempotency-Key": "7f3c"}
    first, again = (client.post(path, json=one, headers=headers) for _ in range(2))
    assert (202, 202) == (first.status_code, again.status_code)
    assert first.get_json()["job_id"] == again.get_json()["job_id"]
    refused = client.post(path, json=other, headers=headers)
    assert (422, "idempotency_key_reused") == (refused.status_code, refused.get_json()["error"])


@pytest.mark.parametrize("key", ["", "a b", "k" * 201, "clé".encode()])
def test_an_invalid_idempotency_key_is_refused(client: FlaskClient, key: str | bytes) -> None:
    """A key has one to two hundred visible ASCII characters."""
    text = key.decode("latin-1") if isinstance(key, bytes) else key
    answer = client.post(BULK, json={"symbols": symbols(1)}, headers={"Idempotency-Key": text})
    assert (422, "invalid_request") == (answer.status_code, answer.get_json()["error"])


def test_jobs_are_listed_and_filtered(client: FlaskClient, make: Make) -> None:
    """They come newest first, in pages, and are filtered by kind, state and time."""
    jobs = [make(1) for _ in range(3)]
    page = client.get(f"{JOBS}?page=2&page_size=2")
    assert [jobs[0]] == [job["job_id"] for job in page.get_json()]
    assert 3 == json.loads(page.headers["X-Pagination"])["total"]
    for query, expected in [
        ("kind=bulk", 3),
        ("kind=sync", 0),
        ("state=pending", 3),
        ("state=completed", 0),
        ("since=2020-01-01", 3),
        ("since=2120-01-01T00:00:00Z", 0),
    ]:
        assert expected == len(client.get(f"{JOBS}?{query}").get_json()), query
    assert 422 == client.get(f"{JOBS}?state=lost").status_code


def test_a_job_has_its_rate_end_and_first_errors(
    client: FlaskClient, platform: Platform, make: Make
) -> None:
    """The rate is syncs per second; the end is estimated from it."""
    job_id = make(3)
    first, second, _ = units_of(platform, job_id)
    complete(platform, first)
    fail(platform, second, UnknownSymbol("SIM:S0002 is unknown"))
    job = client.get(f"{JOBS}/{job_id}").get_json()
    assert (1, 1, 1) == tuple(job["counts"][name] for name in ("queued", "completed", "failed"))
    assert job["units_per_second"] > 0
    assert job["estimated_end_at"].endswith("Z")
    (error,) = job["first_errors"]
    assert ("S0002", "unknown_symbol", 1) == (error["symbol"], error["error"], error["attempts"])


def test_dead_letters_are_listed_by_job_and_by_code(
    client: FlaskClient, platform: Platform, make: Make
) -> None:
    """Each has its code, message, attempts and times."""
    job_id = make(3)
    first, second, third = units_of(platform, job_id)
    fail(platform, first, UnknownSymbol("unknown"))
    fail(platform, second, ProviderTimeout("too slow"))
    complete(platform, third)
    (slow,) = client.get(f"{JOBS}/{job_id}/units?state=failed&code=provider_timeout").get_json()
    assert ("too slow", "failed", [job_id]) == (
        slow["error_message"],
        slow["state"],
        slow["job_ids"],
    )
    assert slow["created_at"] <= slow["begun_at"] <= slow["finished_at"]
    assert 2 == len(client.get("/api/v1/dead-letters").get_json())
    assert 1 == len(client.get("/api/v1/dead-letters?code=unknown_symbol").get_json())
    counts = client.get("/api/v1/dead-letters/codes").get_json()
    expected = [{"code": "provider_timeout", "count": 1}, {"code": "unknown_symbol", "count": 1}]
    assert expected == counts


def test_failed_syncs_are_retried_on_request(
    client: FlaskClient, platform: Platform, make: Make
) -> None:
    """Retry those of a job with one code, or a single one of any job; 409 when none is left."""
    job_id = make(2)
    first, second = units_of(platform, job_id)
    fail(platform, first, UnknownSymbol("unknown"))
    fail(platform, second, ProviderTimeout("too slow"))
    answer = client.post(f"{JOBS}/{job_id}/retry?code=provider_timeout")
    assert (202, 1) == (answer.status_code, answer.get_json()["counts"]["queued"])
    answer = client.post(f"/api/v1/dead-letters/retry?unit_id={first.id}")
    assert (202, {"retried": 1}) == (answer.status_code, answer.get_json())
    assert 409 == client.post(f"{JOBS}/{job_id}/retry").status_code
    assert 422 == client.post("/api/v1/dead-letters/retry").status_code


def test_a_job_is_cancelled_once(client: FlaskClient, platform: Platform, make: Make) -> None:
    """The answer names series in progress; a job that has ended is 409 and cannot be retried."""
    job_id = make(3)
    running = platform.ledger.claim(units_of(platform, job_id)[0].id)
    assert running is not None
    cancelled = client.delete(f"{JOBS}/{job_id}").get_json()
    assert (2, ["SIM:S0001|1d"], 0) == (
        cancelled["cancelled"],
        cancelled["stopping"],
        cancelled["kept"],
    )
    assert "cancelled" == client.get(f"{JOBS}/{job_id}").get_json()["state"]
    assert 409 == client.post(f"{JOBS}/{job_id}/retry").status_code
    other = make(1)  # joins the one that still runs
    finish(platform, running)
    assert 409 == client.delete(f"{JOBS}/{other}").status_code


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", ""), ("GET", "/units"), ("POST", "/retry"), ("GET", "/events")],
)
def test_an_unknown_job_is_404(client: FlaskClient, method: str, path: str) -> None:
    """So is each path below it."""
    answer = client.open(f"{JOBS}/none{path}", method=method)
    assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])


def events(body: Iterator[bytes]) -> Iterator[tuple[str, Json]]:
    for part in body:
        lines = dict(line.split(": ", 1) for line in part.decode().splitlines() if line)
        if "event" in lines:
            yield lines["event"], json.loads(lines["data"])


def test_a_job_is_streamed_to_its_end(client: FlaskClient, platform: Platform, make: Make) -> None:
    """Each change is a `progress` event; the last event is `end`."""
    job_id = make(2)
    answer = client.get(f"{JOBS}/{job_id}/events", buffered=False)
    assert "text/event-stream" == answer.mimetype
    stream = events(iter(answer.response))  # type: ignore[arg-type]
    name, job = next(stream)
    assert ("progress", 2) == (name, job["counts"]["queued"])
    for unit in units_of(platform, job_id):
        complete(platform, unit)
    name, job = list(stream)[-1]
    assert ("end", "completed", 2) == (name, job["state"], job["counts"]["completed"])
    answer.close()


def test_the_api_process_serves_few_streams(
    serve: Callable[[Settings], FlaskClient], settings: Settings
) -> None:
    """Each holds a thread: one too many is 503, and closing one frees its slot."""
    client = serve(settings.model_copy(update={"api_threads": 8}))
    job_id = client.post(BULK, json={"symbols": symbols(1)}).get_json()["job_id"]
    first = client.get(f"{JOBS}/{job_id}/events", buffered=False)
    refused = client.get(f"{JOBS}/{job_id}/events")
    assert (503, "too_many_streams") == (refused.status_code, refused.get_json()["error"])
    first.close()
    third = client.get(f"{JOBS}/{job_id}/events", buffered=False)
    assert 200 == third.status_code
    third.close()
