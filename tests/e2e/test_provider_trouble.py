"""Misbehaviour of the provider, and the answers to callers, with real processes and sockets."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


def test_an_unknown_symbol_is_404_and_not_retried(platform: Any, simulator: Any) -> None:
    """404 `unknown_symbol` comes without waiting for a deadline, after one fetch; status error."""
    before = simulator.tally.requested["NASDAQ:NOSUCH"]
    answer = platform.sync("NASDAQ:NOSUCH", timeout=2)
    assert (answer.status, answer.body["error"]) == (404, "unknown_symbol")
    status = platform.status_of("NASDAQ:NOSUCH")
    assert (status["status"], status["error"]) == ("error", "unknown_symbol")
    assert simulator.tally.requested["NASDAQ:NOSUCH"] == before + 1
    job = platform.job(answer.body["errors"]["job_id"])
    assert (job["state"], job["counts"]["failed"]) == ("completed", 1)


def test_a_symbol_without_permission_is_403(platform: Any, simulator: Any) -> None:
    """403 `no_permission` after one fetch; status error."""
    answer = platform.sync("ECONOMICS:USM2")
    assert (answer.status, answer.body["error"]) == (403, "no_permission")
    assert platform.status_of("ECONOMICS:USM2")["status"] == "error"
    assert simulator.tally.requested["ECONOMICS:USM2"] == 1


def test_an_interval_the_symbol_lacks_is_422(platform: Any) -> None:
    """The answer is `unsupported_interval`, at once."""
    answer = platform.sync("SP:SPX", "5m")
    assert (answer.status, answer.body["error"]) == (422, "unsupported_interval")


def test_a_listing_that_never_traded_has_no_bars_and_no_error(platform: Any) -> None:
    """The answer is 200 with zero bars; the sync is completed."""
    answer = platform.sync("NYSE:UNBORN")
    assert answer.status == 200
    assert (answer.body["status"], answer.body["bar_count"]) == ("completed", 0)
    bars = platform.get("/api/v1/market-data/ohlcv/NYSE/UNBORN", interval="1d")
    assert (bars.status, bars.body["count"]) == (200, 0)


TROUBLE = {
    "SIM:S0201": ("stall", None, 504, "provider_timeout"),
    "SIM:S0202": ("silence", None, 504, "provider_timeout"),
    "SIM:S0203": ("no_completed", None, 504, "provider_timeout"),
    "SIM:S0204": ("drop", None, 502, "connection_lost"),
    "SIM:S0205": ("drop_bundle", None, 502, "connection_lost"),
    "SIM:S0206": ("bad_frame", None, 502, "provider_protocol"),
    "SIM:S0207": ("critical_error", None, 502, "provider_error"),
    "SIM:S0208": ("critical_error", "max sessions rate reached", 502, "provider_rate_limited"),
    "SIM:S0209": ("protocol_error", None, 502, "provider_error"),
    "SIM:S0210": ("series_error", "internal error", 502, "provider_error"),
}


def test_trouble_is_typed_and_the_unit_is_tried_again(platform: Any, simulator: Any) -> None:
    """The waiting call gets the error; the unit is put back, and completed later."""
    for symbol, (fault, value, _, _) in TROUBLE.items():
        simulator.order(fault, symbol, value)
    with ThreadPoolExecutor(len(TROUBLE)) as threads:
        answers = dict(zip(TROUBLE, threads.map(platform.sync, TROUBLE), strict=True))
    expected = {symbol: (status, code) for symbol, (_, _, status, code) in TROUBLE.items()}
    assert expected == {
        symbol: (answer.status, answer.body["error"]) for symbol, answer in answers.items()
    }
    for symbol, answer in answers.items():
        job = platform.job(answer.body["errors"]["job_id"])
        assert (job["state"], job["counts"]["total"]) == ("running", 1)
        assert job["counts"]["failed"] == 0
        assert platform.status_of(symbol)["error"] == TROUBLE[symbol][3]

    simulator.lift()
    for symbol, answer in answers.items():
        job = platform.wait_for_job(answer.body["errors"]["job_id"])
        assert job["counts"]["completed"] == 1
        status = platform.status_of(symbol)
        assert (status["status"], status["error"]) == ("completed", None)


@pytest.mark.parametrize(
    ("symbol", "fault", "code"),
    [
        ("SIM:S0221", "rate_limit", "provider_rate_limited"),
        ("SIM:S0222", "refuse", "provider_refused"),
    ],
)
def test_a_refused_handshake_is_typed(
    platform: Any, simulator: Any, symbol: str, fault: str, code: str
) -> None:
    """429 and 403 at the handshake become 502 for waiting calls, and are retried."""
    simulator.hang_up()  # a kept connection needs no handshake
    simulator.order(fault)
    answer = platform.sync(symbol, n_bars=20)
    assert (answer.status, answer.body["error"]) == (502, code)
    simulator.lift()
    assert platform.sync(symbol, n_bars=20).status == 200


@pytest.mark.parametrize(
    ("number", "fault", "reason"),
    [
        (0, "nan_bar", "not_finite"),
        (1, "high_below_low", "inconsistent"),
        (2, "repeated_time", "repeated_time"),
        (3, "unordered_time", "out_of_order"),
        (4, "negative_volume", "negative_volume"),
    ],
)
def test_a_bad_bar_is_refused_and_counted_and_the_rest_stored(
    platform: Any, simulator: Any, number: int, fault: str, reason: str
) -> None:
    """The report counts the refused bar with its reason."""
    symbol = f"SIM:S{240 + number:04}"
    simulator.order(fault, symbol, None)
    report = platform.sync(symbol, n_bars=50)
    assert report.status == 200, report.body
    assert report.body["refused"] == sum(report.body["refusals"].values()) >= 1
    assert reason in report.body["refusals"]
    assert report.body["bar_count"] >= 45


@pytest.mark.parametrize("fault", ["split", "glue", "each_alone", "unknown_message", "non_ascii"])
def test_odd_but_legal_messages_are_read(platform: Any, simulator: Any, fault: str) -> None:
    """Frames cut or glued anywhere, unknown messages and non-ASCII text do not matter."""
    symbol = f"SIM:S{260 + len(fault):04}"
    simulator.order(fault, symbol, None)
    report = platform.sync(symbol, n_bars=300)
    assert (report.status, report.body["refused"]) == (200, 0)
    assert report.body["bar_count"] >= 299


def test_a_bad_token_says_what_to_do(platform: Any, simulator: Any) -> None:
    """The unit is not retried; the message names the setting."""
    simulator.hang_up()  # a kept connection has sent the token before
    simulator.order("bad_token", None, None)
    answer = platform.sync("SIM:S0230", n_bars=20)
    assert (answer.status, answer.body["error"]) == (502, "bad_token")
    assert "TRADINGVIEW_TOKEN" in str(answer.body)
    assert platform.status_of("SIM:S0230")["status"] == "error"
