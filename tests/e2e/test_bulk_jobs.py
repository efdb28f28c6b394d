"""Large jobs on real processes: refused as a whole, failing in part, overtaken."""

from datetime import timedelta
from typing import Any

import pytest

from pocketquant.servers.connections import wait_until

BULK = "/api/v1/market-data/sync/bulk"
SYNCS = 3000


def sims(first: int, count: int) -> list[str]:
    return [f"SIM:S{first + n:04}" for n in range(count)]


def kept(platform: Any) -> tuple[int, int]:
    """Return how many jobs and units are stored."""
    return tuple(platform.mongo[name].count_documents({}) for name in ("jobs", "units"))


@pytest.mark.fault
def test_one_malformed_symbol_of_ten_thousand_refuses_all(platform: Any) -> None:
    """422 that names its index; no job and no unit is stored."""
    wanted = [{"exchange": "SIM", "symbol": f"S{n:04}"} for n in range(10_000)]
    wanted[7123] = {"exchange": "SIM", "symbol": "NO SUCH"}
    before = kept(platform)
    answer = platform.post(BULK, {"symbols": wanted})
    assert 422 == answer.status
    places = [problem["loc"] for problem in answer.body["errors"]["json"]]
    assert [["symbols", 7123, "symbol"]] == places
    assert before == kept(platform)


@pytest.mark.fault
def test_unknown_symbols_fail_alone(platform: Any) -> None:
    """They are dead letters with their code after one attempt; the others are completed."""
    known, unknown = sims(4300, 20), ["NASDAQ:NONESUCH", "SIM:S0000", "NYSE:NEVER"]
    job_id = platform.sync_in_bulk([*known[:10], *unknown, *known[10:]])
    job = platform.wait_for_job(job_id)
    counts = job["counts"]
    assert (20, 3, 23) == (counts["completed"], counts["failed"], counts["total"])
    failed = platform.get(f"/api/v1/jobs/{job_id}/units", state="failed").body
    assert set(unknown) == {f"{one['exchange']}:{one['symbol']}" for one in failed}
    assert {("unknown_symbol", 1)} == {(one["error"], one["attempts"]) for one in failed}
    assert [] == platform.wrong_series(known)


def test_an_interactive_sync_overtakes_thousands(platform: Any, simulator: Any) -> None:
    """An interactive sync begins and ends while over nine tenths of a bulk job are queued."""
    simulator.order("latency", None, 0.3)
    job_id = platform.sync_in_bulk(sims(5000, SYNCS), n_bars=1)
    planned = {"jobs": job_id}
    wait_until(
        "all are planned, some are done",
        lambda: (
            platform.mongo["units"].count_documents(planned) == SYNCS
            and platform.counts(job_id)["completed"]
        ),
        (),
        60,
    )
    answer = platform.sync("SIM:S4999", n_bars=10)
    assert 200 == answer.status, answer.body
    assert platform.counts(job_id)["queued"] > 0.9 * SYNCS
    (unit,) = platform.units(answer.body["job_id"])
    assert unit["begun_at"] - unit["created_at"] < timedelta(seconds=5)

    cancelled = platform.call("DELETE", f"/api/v1/jobs/{job_id}")
    assert 200 == cancelled.status
    assert platform.wait_for_job(job_id)["counts"]["cancelled"] > 0.8 * SYNCS
