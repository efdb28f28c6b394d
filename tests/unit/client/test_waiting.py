"""The progress bar of a job."""

from typing import Any

from pocketquant.client.waiting import progress_fields


def job(**changes: Any) -> Any:
    counts = {"total": 4, "completed": 2, "failed": 1, "cancelled": 0, "paused": 0}
    return {"state": "running", "counts": counts, "backfill": None, **changes}


def test_a_job_shows_how_many_of_its_syncs_have_ended() -> None:
    """With the rate and the estimated end once they are known."""
    speed = {"units_per_second": 1.25, "estimated_end_at": "2026-11-27T19:00:07Z"}
    expected = {
        "completed": 3,
        "total": 4,
        "amount": "3/4",
        "details": "1 failed, 1.2/s, until 19:00:07 UTC",
    }
    assert expected == progress_fields(job(**speed))


def test_a_backfill_shows_how_much_time_was_walked_back() -> None:
    """And the oldest moment that was reached; that it is paused comes first."""
    came = {"fetched": 12000, "share_of_time": 0.375, "reached_back_to": "2019-03-04T14:30:00Z"}
    expected = {
        "completed": 0.375,
        "total": 1.0,
        "amount": "38% of the time, 3/4 series",
        "details": "paused, back to 2019-03-04, 12,000 bars, 1 failed",
    }
    assert expected == progress_fields(job(state="paused", backfill=came))
    nothing = {"fetched": 0, "share_of_time": 0.0, "reached_back_to": None}
    assert "0 bars, 1 failed" == progress_fields(job(backfill=nothing))["details"]
