"""Bars and their time scale as JSON."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Floats
from pocketquant.simulator.market.world import Instrument, find
from pocketquant.simulator.wire import encoding

numbers = st.floats(-1e15, 1e15).map(lambda value: round(value, 5))


def decoded(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def marks_of(
    name: str, timezone: str, is_intraday: bool, *moments: str, first_index: int = 0
) -> list[list[int]]:
    instrument = find(name)
    assert isinstance(instrument, Instrument)
    times = np.array([at(moment) for moment in moments])
    scale = encoding.scale(instrument, timezone, is_intraday, times, first_index)
    marks: list[list[int]] = decoded(scale)["marks"]
    return marks


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@given(st.lists(st.tuples(*[numbers] * 6), min_size=1, max_size=5), st.integers(-9, 9))
def test_a_block_has_the_exact_values(rows: list[tuple[float, ...]], first_index: int) -> None:
    """Each bar has its index and its exact values."""
    block = decoded(encoding.block(np.array(rows).T, first_index, "s1", 99))
    assert rows == [tuple(bar["v"]) for bar in block["s"]]
    assert list(range(first_index, first_index + len(rows))) == [bar["i"] for bar in block["s"]]
    assert ({"bar_close_time": 99}, "s1") == (block["lbs"], block["t"])


def test_times_and_volumes_have_a_point() -> None:
    """Times and volumes have a decimal point, as the real server writes them; NaN is null."""
    columns: Floats = np.array([[1728272700.0], [361.5], [np.nan], [351.0], [354.1], [90305.0]])
    text = bytes(encoding.block(columns, 0, "s1", 0)).decode()
    assert '"s":[{"i":0,"v":[1728272700.0,361.5,null,351.0,354.1,90305.0]}]' in text


def test_a_mark_weighs_the_boundary_crossed() -> None:
    """A mark has the weight of the boundary crossed, from a minute to a year."""
    moments = [
        "2024-12-31T23:31",
        "2024-12-31T23:32",
        "2024-12-31T23:35",
        "2025-01-01T00:00",
        "2025-01-01T00:30",
        "2025-01-01T01:00",
        "2025-01-01T03:00",
        "2025-01-01T06:00",
        "2025-01-01T12:00",
        "2025-01-02T00:00",
        "2025-01-06T00:00",
        "2025-02-01T00:00",
    ]
    weights = [mark[0] for mark in marks_of("SIM:S0001", "Etc/UTC", True, *moments)]
    assert [20, 20, 21, 70, 22, 30, 31, 32, 33, 40, 50, 60] == weights


def test_weights_of_days_are_the_captured_ones(wire: Any) -> None:
    """Weights of days are the captured ones, but for the first and weeks begun on a Tuesday."""
    text = (wire / "timescale_update_daily_index_with_volume.txt").read_text()
    captured = json.loads(text.split("~m~", 2)[2])["p"][2]
    spx = find("SP:SPX")
    assert spx is not None
    scale = decoded(encoding.scale(spx, "exchange", False, np.array(captured["changes"]), 0))
    differing = [
        datetime.fromtimestamp(wall, UTC).weekday()
        for (weight, wall, _), mark in zip(captured["marks"], scale["marks"], strict=True)
        if weight != mark[0]
    ]
    assert [2, *[1] * 8] == differing
    assert [mark[1:] for mark in captured["marks"]] == [mark[1:] for mark in scale["marks"]]
    assert {**captured, "marks": []} == {**scale, "marks": []}


@pytest.mark.parametrize(
    ("timezone", "hours"), [("Etc/UTC", 0), ("Asia/Kolkata", 5.5), ("exchange", -5)]
)
def test_a_mark_shows_local_time(timezone: str, hours: float) -> None:
    """A mark has the local time, written as if it were UTC."""
    moment = "2025-11-18T15:30"
    ((_, wall, index),) = marks_of("NASDAQ:AAPL", timezone, True, moment, first_index=-3)
    assert (at(moment) + hours * 3600, -3) == (wall, index)


def test_a_daily_mark_shows_the_trading_date() -> None:
    """A daily mark has the trading date, also if the session opened the evening before."""
    ((_, wall, _),) = marks_of("OANDA:EURUSD", "Etc/UTC", False, "2025-11-16T22:00")
    assert at("2025-11-17") == wall
