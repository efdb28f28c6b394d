"""Calendars beside exchange_calendars, and beside what a request may take.

Cold is from the provider's texts, or from the library's rules, to the answer; nothing is kept from
the round before. The minutes of 2025 in New York are compared first: both give the same ones.
Figures are the best of the rounds, in this process's own CPU time.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

from pocketquant.domain.calendar import Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Symbol
from pocketquant.machine.embedded import private_mongod, private_redis, running
from pocketquant.settings import LogLevel, Settings
from pocketquant.wiring import Platform
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized
from web.app import create_app

ROUNDS = sized(20, 1)
LOOKUPS = sized(100_000, 100)
LIMIT_MS = 20
LIMIT_US = 2
NANOSECONDS = 1_000_000_000
PATH = "/api/v1/market-data/calendar/CME_MINI/ES1!"
WIRE = Path(__file__).parents[1] / "wire" / "calendar_strings_2026-10-10.json"


def run() -> list[Row]:
    """Milliseconds, and microseconds of one look-up."""
    captured = {each["symbol"]: each for each in json.loads(WIRE.read_text())}
    stock = captured["NASDAQ:AAPL"]
    new_york = CalendarTexts(
        stock["timezone"],
        stock["session"],
        stock["session_holidays_from_2025"],
        stock["subsessions"][1]["session-correction"],
    )
    future = captured["CME ES"]
    futures = CalendarTexts(
        future["timezone"],
        future["session"],
        stock["session_holidays_from_2025"],
        future["session-correction_from_2025"],
    )
    always = CalendarTexts("Etc/UTC", "24x7")
    assert np.array_equal(minutes_of_ours(new_york), minutes_of_library() // NANOSECONDS)
    ours_minutes, library_minutes = take_turns(
        partial(minutes_of_ours, new_york), minutes_of_library
    )
    ours_days, library_days = take_turns(partial(ten_years_of_ours, new_york), ten_years_of_library)
    known = parse_calendar(always)
    with serving(futures) as get_ten_years:
        cold_request = best(partial(after_forgetting, get_ten_years))
        next_request = best(get_ten_years)
    return [
        Row(
            "opens of a year of minutes, cold / exchange_calendars",
            ours_minutes,
            library_minutes,
            "ms",
        ),
        Row("ten years of sessions, cold / exchange_calendars", ours_days, library_days, "ms"),
        Row(
            "opens of a year of minutes, always open, cold / the limit",
            best(partial(minutes_of_ours, always)),
            LIMIT_MS,
            "ms",
            "≤ 1",
        ),
        Row(
            "the same, sessions known / the limit",
            best(partial(minutes_of, known)),
            LIMIT_MS,
            "ms",
            "≤ 1",
        ),
        Row(
            "ten years of sessions of a future, cold / the limit",
            best(partial(ten_years_of_ours, futures)),
            LIMIT_MS,
            "ms",
            "≤ 1",
        ),
        Row(
            "GET calendar for ten years of it, cold / the limit",
            cold_request,
            LIMIT_MS,
            "ms",
            "≤ 1",
        ),
        Row(
            "GET calendar for ten years of it, sessions known / the limit",
            next_request,
            LIMIT_MS,
            "ms",
            "≤ 1",
        ),
        Row(
            "the bar at a time, in one session / the limit",
            best(partial(look_up, known)) * 1000 / LOOKUPS,
            LIMIT_US,
            "µs",
            "≤ 1",
        ),
    ]


def take_turns(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """The best of each one's rounds, in milliseconds."""
    rounds = [(milliseconds(ours), milliseconds(peer)) for _ in range(ROUNDS)]
    return min(each[0] for each in rounds), min(each[1] for each in rounds)


def best(job: Callable[[], object]) -> float:
    return min(milliseconds(job) for _ in range(ROUNDS))


def after_forgetting(job: Callable[[], object]) -> None:
    parse_calendar.cache_clear()
    job()


def milliseconds(job: Callable[[], object]) -> float:
    began = time.process_time()
    job()
    return 1000 * (time.process_time() - began)


def cold(texts: CalendarTexts) -> Calendar:
    parse_calendar.cache_clear()
    return parse_calendar(texts)


def minutes_of_ours(texts: CalendarTexts) -> Any:
    return minutes_of(cold(texts))


def minutes_of(calendar: Calendar) -> Any:
    return calendar.opens(Interval.M1, new_year(2025), new_year(2026))


def minutes_of_library() -> Any:
    return XNYSExchangeCalendar(start="2025-01-01", end="2025-12-31", side="left").minutes_nanos


def ten_years_of_ours(texts: CalendarTexts) -> Any:
    return cold(texts).sessions(new_year(2016), new_year(2026))


def ten_years_of_library() -> Any:
    return XNYSExchangeCalendar(start="2016-01-01", end="2025-12-31").schedule


@contextmanager
def serving(texts: CalendarTexts) -> Iterator[Callable[[], object]]:
    """Yield a request for ten years of a symbol with these hours, to web in this process."""
    with TemporaryDirectory() as name, ExitStack() as ends:
        folder = Path(name)
        servers = {each.setting: each for each in (private_mongod(folder), private_redis(folder))}
        for server in servers.values():
            ends.enter_context(running(server))
        app = create_app(
            Settings(
                _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings
                **{setting: server.url for setting, server in servers.items()},  # type: ignore[arg-type]
                log_level=LogLevel.ERROR,
            )
        )
        platform: Platform = app.extensions["pocketquant"].platform
        ends.callback(platform.close)
        platform.calendars.keep(Symbol("CME_MINI", "ES1!"), texts, None, now=0)
        client = app.test_client()
        assert 200 == client.get(f"{PATH}?start=2026-01-01&end=2026-01-02").status_code
        yield lambda: client.get(f"{PATH}?start=2016-01-01&end=2026-01-01").get_data()


def look_up(calendar: Calendar) -> None:
    noon = new_year(2025) + 12 * 3600
    for _ in range(LOOKUPS):
        calendar.bar_at(noon, Interval.M5)


def new_year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
