"""The stored schedules, and concurrent writes of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from pocketquant.domain.schedules import ScheduleChange, begun, built_in_schedules
from pocketquant.servers.connections import Mongo, open_mongo
from pocketquant.storage.schedules import Schedules

NOW = 1_772_841_600  # 2026-03-07, a Saturday, 00:00 UTC
SIX = NOW + 6 * 3600
KEY = f"schedule:all-series:{SIX}"
EVERYTHING, DAILY, CLOSES = built_in_schedules(NOW)


def never(*_: object) -> None:
    """No market closes."""


BEGUN = begun(EVERYTHING, KEY, SIX, never)


@pytest.fixture
def schedules(mongo: Mongo) -> Schedules:
    """The built-in schedules, just made."""
    made = Schedules(mongo)
    made.make_defaults(NOW)
    return made


@pytest.fixture
def race(mongo: Mongo, mongodb_url: str) -> Callable[[Callable[[Schedules], object]], list[object]]:
    """Runs the function on eight connections at once; returns all results."""

    def run(step: Callable[[Schedules], object]) -> list[object]:
        together = Barrier(8, timeout=60)

        def one(_: int) -> object:
            own = open_mongo(mongodb_url, mongo.name)
            with own.client:
                own.command("ping")
                together.wait()
                return step(Schedules(own))

        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(one, range(8)))

    return run


def test_the_first_call_makes_the_built_in_schedules(mongo: Mongo) -> None:
    """The first call makes them, in order of name; later calls find them."""
    schedules = Schedules(mongo)
    assert () == schedules.list()
    assert schedules.get("all-series") is None
    assert (CLOSES, EVERYTHING, DAILY) == schedules.made(NOW)
    assert (CLOSES, EVERYTHING, DAILY) == schedules.made(NOW + 10**6)
    assert EVERYTHING == schedules.get("all-series")


def test_a_schedule_that_is_missing_is_made(schedules: Schedules, mongo: Mongo) -> None:
    """After an upgrade a new schedule is made; the others stay as users changed them."""
    changed = schedules.change(EVERYTHING, ScheduleChange(n_bars=7), NOW, never)
    mongo.schedules.delete_one({"_id": "daily-series"})
    assert (CLOSES, changed, DAILY) == schedules.made(NOW)


def test_many_may_make_them_at_once(race: Callable[..., list[object]], mongo: Mongo) -> None:
    """Each sees all, and there are three."""
    assert [(CLOSES, EVERYTHING, DAILY)] * 8 == race(lambda schedules: schedules.made(NOW))
    assert 3 == mongo.schedules.count_documents({})


def test_one_of_many_begins_a_run(schedules: Schedules, race: Callable[..., list[object]]) -> None:
    """The other calls return False."""
    won = race(lambda own: own.begin(EVERYTHING, BEGUN))
    assert (1, 7) == (won.count(True), won.count(False))
    assert BEGUN == schedules.get("all-series")


@pytest.mark.parametrize(
    "meddle",
    [
        lambda schedules: schedules.request_run("all-series"),
        lambda schedules: schedules.change(EVERYTHING, ScheduleChange(paused=True), NOW, never),
        lambda schedules: schedules.change(
            EVERYTHING, ScheduleChange(cron="0 * * * *"), NOW, never
        ),
    ],
)
def test_a_run_begins_only_on_unchanged_values(
    schedules: Schedules, meddle: Callable[[Schedules], object]
) -> None:
    """A run does not begin on values that a user has changed since."""
    meddle(schedules)
    before = schedules.list()
    assert not schedules.begin(EVERYTHING, BEGUN)
    assert before == schedules.list()


def test_a_begun_run_is_started_once(schedules: Schedules) -> None:
    """Its job is stored once; a second start returns False."""
    schedules.begin(EVERYTHING, BEGUN)
    assert schedules.note_started(BEGUN, "job", SIX + 1)
    started = replace(BEGUN, starting=None, last_job_id="job", has_open_job=True)
    assert started == schedules.get("all-series")
    assert not schedules.note_started(BEGUN, "job", SIX + 2)
    assert started == schedules.get("all-series")


def test_a_run_without_anything_to_do_is_a_success(schedules: Schedules) -> None:
    """Such a run has no job, and the next one does not wait for it."""
    schedules.begin(EVERYTHING, BEGUN)
    assert schedules.note_started(BEGUN, None, SIX + 1)
    expected = replace(BEGUN, starting=None, last_success_at=SIX + 1)
    assert expected == schedules.get("all-series")


@pytest.mark.parametrize("success_at", [SIX + 9, None])
def test_the_end_of_the_last_job_is_noted(schedules: Schedules, success_at: int | None) -> None:
    """The end is stored with or without success; the end of an earlier job changes nothing."""
    schedules.begin(EVERYTHING, BEGUN)
    schedules.note_started(BEGUN, "job", SIX + 1)
    started = schedules.get("all-series")
    assert started
    schedules.note_ended("all-series", "an earlier job", SIX)
    assert started == schedules.get("all-series")
    schedules.note_ended("all-series", "job", success_at)
    expected = replace(started, has_open_job=False, last_success_at=success_at)
    assert expected == schedules.get("all-series")


def test_a_run_requested_twice_is_one_run(schedules: Schedules) -> None:
    """Until it has begun; the other schedules are not meant."""
    schedules.request_run("all-series")
    requested = schedules.list()
    schedules.request_run("all-series")
    assert requested == schedules.list()
    assert [False, True, False] == [each.run_request is not None for each in requested]


def test_a_change_applies_to_the_present_values(schedules: Schedules) -> None:
    """A run that began after the schedule was read keeps its next time and its key."""
    schedules.begin(EVERYTHING, BEGUN)
    assert replace(BEGUN, n_bars=7) == schedules.change(
        EVERYTHING, ScheduleChange(n_bars=7), SIX + 1, never
    )
    assert replace(BEGUN, n_bars=7) == schedules.get("all-series")


def test_changes_at_once_do_not_undo_each_other(
    schedules: Schedules, race: Callable[..., list[object]]
) -> None:
    """If each user changes another field, all changes are stored."""
    changes = [ScheduleChange(n_bars=7), ScheduleChange(paused=True), ScheduleChange("0 1 * * *")]
    queue = iter(changes * 3)
    race(lambda own: own.change(EVERYTHING, next(queue), NOW, never))
    expected = replace(EVERYTHING, n_bars=7, paused=True, cron="0 1 * * *", next_run_at=NOW + 3600)
    assert expected == schedules.get("all-series")
