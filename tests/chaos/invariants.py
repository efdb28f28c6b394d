"""Invariants that must hold once all servers rest: in the database, and over REST.

Each check yields a line with ids for each violation.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from pymongo.database import Database

from tests.chaos import answers
from tests.chaos.plan import OFTEN, SICK, UNKNOWN, WATCHED
from tests.chaos.record import Record
from tests.chaos.users import Users
from tests.chaos.witness import SECONDS, Exchange, Rows, stored_bars

_DOUBTFUL_SECONDS = 2  # after its end, a bar may still be open for the provider
_MORE_BARS = 30  # to compare beyond the stored ones
_ALL = {"page_size": 100}
_PROVIDER_FAULTS = frozenset(
    {
        "connection_lost",
        "provider_timeout",
        "provider_rate_limited",
        "provider_refused",
        "provider_error",
        "provider_protocol",
        "attempts_exhausted",
    }
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A run after all its work has ended."""

    mongo: Database[dict[str, Any]]
    exchange: Exchange
    users: Users
    record: Record

    def violations(self) -> list[str]:
        """Return all violations."""
        checks = (
            self._promises,
            self._jobs,
            self._units,
            self._statuses,
            self._dead_letters,
            self._schedules,
            self._bars,
        )
        return [*self.record.wrong, *(line for check in checks for line in check())]

    def summary(self) -> str:
        """Return how much was done."""
        by_state = [{"$group": {"_id": "$state", "count": {"$sum": 1}}}]
        states = {each["_id"]: each["count"] for each in self.mongo["units"].aggregate(by_state)}
        jobs = self.mongo["jobs"].count_documents({})
        bars = sum(chunk["count"] for chunk in self.mongo["ohlcv"].find({}, {"count": True}))
        return (
            f"{jobs} jobs, {len(self.record.promises)} of them acknowledged; units {states};"
            f" {bars} bars, {self.record.live_seen} live ones answered meanwhile;"
            f" answers {dict(sorted(self.record.statuses.items()))}"
        )

    def _promises(self) -> Iterator[str]:
        """Every acknowledged job has ended, with all its series, cancelled only by its users."""
        for promise in self.record.promises.values():
            job = self._job(promise.job_id)
            if job is None:
                yield f"job {promise.job_id} ({promise.ask}) was acknowledged and is lost"
                continue
            if job["finished_at"] is None:
                yield f"job {promise.job_id} has not ended: {job['counts']}"
            if job["state"] == "cancelled" and not promise.was_cancelled:
                yield f"job {promise.job_id} was cancelled by nobody"
            if job["counts"]["total"] != len(promise.series):
                yield f"job {promise.job_id} wants {len(promise.series)} syncs: {job['counts']}"
            if job["state"] != "cancelled":
                yield from self._lost_series(promise.job_id, promise.series)

    def _lost_series(self, job_id: str, wanted: frozenset[str]) -> Iterator[str]:
        have = Counter(unit["series"] for unit in self.mongo["units"].find({"jobs": job_id}))
        lost = sorted(wanted ^ have.keys())
        if lost:
            yield f"job {job_id} and its units differ in {len(lost)} series, {lost[0]} first"
        for series, number in have.items():
            if number > 1:
                yield f"job {job_id} has {number} units of {series}"

    def _jobs(self) -> Iterator[str]:
        """Every job has ended, and its counts are those of its units."""
        for job in self.mongo["jobs"].find():
            if job.get("open"):
                yield f"job {job['_id']} ({job['kind']}) is still open"
            shown = self._job(job["_id"])
            if shown is None:
                yield f"job {job['_id']} is in the database, but not in the API"
                continue
            states = self._states(job["_id"])
            missing = shown["counts"]["total"] - sum(states.values())
            if missing < 0 or (missing and not job.get("cancelled")):
                yield f"job {job['_id']} has {shown['counts']}, its units are {dict(states)}"
            counted = {state: n for state, n in shown["counts"].items() if state != "total"}
            if not _are_derived(counted, states, missing):
                yield f"job {job['_id']} has counts {counted}, its units are {dict(states)}"

    def _states(self, job_id: str) -> Counter[str]:
        return Counter(unit["state"] for unit in self.mongo["units"].find({"jobs": job_id}))

    def _units(self) -> Iterator[str]:
        """No unit is active, an orphan, cancelled by nobody, or failed without a cause."""
        cancelled = {job["_id"] for job in self.mongo["jobs"].find({"cancelled": True})}
        for unit in self.mongo["units"].find():
            name = f"unit {unit['_id']} of {unit['series']}"
            if unit.get("active") or unit["state"] in {"queued", "running"}:
                yield f"{name} is still {unit['state']}, jobs {unit['jobs']}"
            if unit["state"] == "cancelled" and not cancelled.issuperset(unit["jobs"]):
                yield f"{name} is cancelled, its jobs {unit['jobs']} are not all"
            if unit["state"] == "failed":
                yield from self._failure(name, unit)

    def _failure(self, name: str, unit: dict[str, Any]) -> Iterator[str]:
        code, symbol = unit["error"]["code"], unit["series"].partition("|")[0]
        is_known = symbol not in {*SICK, *UNKNOWN}
        if code == "unknown_symbol" and is_known:
            yield f"{name} failed as unknown, and was never ordered to"
        if code != "unknown_symbol" and code not in _PROVIDER_FAULTS:
            yield f"{name} failed with {code}: {unit['error']['message']}"

    def _statuses(self) -> Iterator[str]:
        """No status is pending or syncing, and each agrees with its series."""
        newest: dict[str, dict[str, Any]] = {}
        for unit in self.mongo["units"].find({"state": {"$in": ["completed", "failed"]}}):
            before = newest.setdefault(unit["series"], unit)
            if unit["finished_at"] > before["finished_at"]:
                newest[unit["series"]] = unit
        statuses = {status["_id"]: status for status in self.mongo["sync_status"].find()}
        for series, status in statuses.items():
            if status["status"] not in {"completed", "error"}:
                yield f"status of {series} is stuck in {status['status']}, job {status['job_id']}"
        for series, unit in newest.items():
            expected = "completed" if unit["state"] == "completed" else "error"
            shown, id_ = statuses.get(series, {}).get("status"), unit["_id"]
            if shown != expected:
                yield f"status of {series} is {shown}, its newest unit {id_} {unit['state']}"

    def _dead_letters(self) -> Iterator[str]:
        """Each dead letter belongs to a job."""
        page = 1
        while found := self._asked("/dead-letters", page=page, **_ALL):
            for letter in found:
                if not letter["job_ids"]:
                    yield f"dead letter {letter['unit_id']} of {letter['symbol']} is an orphan"
            page += 1

    def _schedules(self) -> Iterator[str]:
        """Each schedule has a next run to come, and has run if it was often due."""
        now = datetime.now(UTC)
        for schedule in self._asked("/schedules"):
            name, at = schedule["name"], schedule["next_run_at"]
            if at is None or datetime.fromisoformat(at) < now:
                yield f"schedule {name} runs next at {at}, it is {now.isoformat()}"
            has_run = schedule["last_run_at"] and schedule["last_success_at"]
            if name in OFTEN and not has_run:
                yield f"schedule {name} has never run with success"

    def _bars(self) -> Iterator[str]:
        """Stored, live and returned bars equal the exchange's, and none is missing."""
        history, live = stored_bars(self.mongo, "ohlcv"), stored_bars(self.mongo, "ohlcv_live")
        partial = {
            marks["_id"]: {int(time.timestamp()) for time in marks["times"]}
            for marks in self.mongo["ohlcv_live_partial"].find()
        }
        counts = {status["_id"]: status["bar_count"] for status in self.mongo["sync_status"].find()}
        fewest = self._required()
        for series in sorted(history.keys() | live.keys() | fewest.keys()):
            stored, seen = history.get(series, {}), live.get(series, {})
            truth = self._truth(series, min([*stored, *seen], default=None))
            yield from _differing(f"stored {series}", stored, truth)
            whole = {at: bar for at, bar in seen.items() if at not in partial.get(series, set())}
            yield from _differing(f"live {series}", whole, truth)
            yield from _holes(series, stored)
            if counts.get(series, 0) != len(stored):
                yield f"{series} has {len(stored)} bars, its status says {counts.get(series)}"
            missing = [at for at in fewest.get(series, ()) if at not in stored]
            if missing:
                yield f"{series} lacks {len(missing)} bars of a completed sync, {missing[0]} first"
            yield from self._answers(series, stored, truth)
            yield from self._seen(series, truth)

    def _truth(self, series: str, oldest: int | None) -> Rows:
        """The exchange's closed bars from the oldest one on."""
        now, seconds = self.exchange.now(), SECONDS[series.partition("|")[2]]
        back = 1 if oldest is None else int(now - oldest) // seconds
        bars = self.exchange.bars(series, min(back + _MORE_BARS, 5000))
        return {at: bar for at, bar in bars.items() if at + seconds <= now}

    def _required(self) -> dict[str, range]:
        """The open times of bars that the largest completed sync of each series has fetched."""
        required: dict[str, range] = {}
        for unit in self.mongo["units"].find({"state": "completed"}):
            seconds = SECONDS[unit["series"].partition("|")[2]]
            begun, ended = (int(unit[at].timestamp()) for at in ("begun_at", "finished_at"))
            first = ended // seconds * seconds - (unit["n_bars"] - 1) * seconds
            last = (begun - _DOUBTFUL_SECONDS) // seconds * seconds
            wanted = range(first, last, seconds)
            if len(wanted) > len(required.get(unit["series"], ())):
                required[unit["series"]] = wanted
        return required

    def _answers(self, series: str, stored: Rows, truth: Rows) -> Iterator[str]:
        """Each API process returns all stored bars, and none that differs from the exchange's."""
        name, _, interval = series.partition("|")
        exchange, ticker = name.split(":")
        for turn in range(len(self.users.web_urls)):
            path = f"/market-data/ohlcv/{exchange}/{ticker}"
            answer = self.users.get(path, turn, interval=interval, order="asc", limit=5000)
            if answer is None or not answer.ok:
                yield f"{series} is answered {answer and answer.status_code} by web-{turn}"
                continue
            page = answers.read(answer.json())
            yield from _differing(f"web-{turn} answers {series}", page.whole, truth)
            lacking = stored.keys() - page.bars.keys()
            if lacking:
                yield f"web-{turn} hides {len(lacking)} bars of {series}, {min(lacking)} first"
            if name in WATCHED and interval == "1m":
                yield from _holes(f"web-{turn} answers {series}", page.bars)

    def _seen(self, series: str, truth: Rows) -> Iterator[str]:
        """Bars returned during trouble equal the exchange's, though newer ones may be stored."""
        oldest = min(truth, default=0)
        for bar in sorted(self.record.seen.get(series, ())):
            if bar[0] >= oldest and truth.get(int(bar[0])) != bar[1:]:
                yield f"{series} was answered {bar}, and is {truth.get(int(bar[0]))}"

    def _job(self, job_id: str) -> dict[str, Any] | None:
        answer = self.users.get(f"/jobs/{job_id}")
        return dict(answer.json()) if answer is not None and answer.ok else None

    def _asked(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.users.get(path, **query)
        return list(answer.json()) if answer is not None and answer.ok else []


def _are_derived(counted: dict[str, int], states: Counter[str], missing: int) -> bool:
    """Whether a job's counts are those of its units.

    A cancelled job may have fewer (`missing`): other jobs took its waiting units over, or retried
    its failed ones.
    """
    retried = counted["failed"] - states["failed"]
    left = missing - retried
    expected = {state: states[state] for state in counted}
    expected["failed"] += retried
    expected["cancelled"] += left
    return retried >= 0 and left >= 0 and counted == expected


def _differing(what: str, bars: Rows, truth: Rows) -> Iterator[str]:
    wrong = {at: bar for at, bar in bars.items() if truth.get(at) != bar}
    if wrong:
        at, bar = min(wrong.items())
        yield f"{what}: {len(wrong)} of {len(bars)} bars differ, first {at} {bar}: {truth.get(at)}"


def _holes(what: str, bars: Rows) -> Iterator[str]:
    """Simulated pairs trade all the time, so no bar may be missing between two others."""
    seconds = SECONDS[what.rpartition("|")[2]]
    times = sorted(bars)
    holes = [at for at, after in pairwise(times) if after - at != seconds]
    if holes:
        yield f"{what}: {len(holes)} holes among {len(times)} bars, first after {holes[0]}"
