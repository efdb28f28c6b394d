"""Gauges of the fleet, read from the servers at each scrape; `docs/metrics.md` explains each.

While a server is away, gauges read from it have no sample and its `pocketquant_up` is 0.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pocketquant.cache.board_records import StreamerStatus
from pocketquant.coordination.fleet import MemberKind
from pocketquant.coordination.governor import BreakerState, PaceSnapshot
from pocketquant.storage.backlog import Work
from web.fleet.probing import Server
from web.fleet.snapshot import FleetProbe, FleetSnapshot

_SHARD_GAUGES: tuple[tuple[str, str, Callable[[StreamerStatus], float]], ...] = (
    (
        "connected",
        "Whether the shard's streamer is connected to the provider.",
        lambda status: float(status.connected_at is not None),
    ),
    ("symbols", "Symbols that the shard's streamer watches.", lambda status: status.symbols),
    (
        "refused_symbols",
        "Symbols of the shard that the provider does not serve.",
        lambda status: len(status.refused),
    ),
    (
        "bars_waiting",
        "Closed bars of the shard that MongoDB does not have yet.",
        lambda status: status.bars_waiting,
    ),
)

Sample = tuple[tuple[str, ...], float]  # label values, sample value


class FleetCollector(Collector):
    """Collects gauges of the whole fleet; every web process returns the same values."""

    def __init__(self, probe: FleetProbe) -> None:
        self._probe = probe

    def collect(self) -> Iterator[GaugeMetricFamily]:
        snapshot = self._probe.take_snapshot()
        up = [((server,), float(server not in snapshot.server_problems)) for server in Server]
        yield _gauge("up", "Whether the server answers.", ("dependency",), up)
        yield from _members(snapshot)
        lengths = snapshot.queue_lengths or {}
        yield _gauge(
            "queue_messages",
            "Messages that wait in the broker.",
            ("queue",),
            [((name,), float(length)) for name, length in lengths.items()],
        )
        yield from _units(snapshot.work)
        yield from _pace(snapshot.pace)
        yield from _schedules(snapshot)
        yield from _shards(snapshot)
        wrong = snapshot.wrong_calendars
        yield _gauge(
            "wrong_calendars",
            "Symbols whose trading hours can't be read, or did not predict a bar.",
            (),
            [] if wrong is None else [_one(wrong)],
        )
        found = snapshot.in_trouble
        yield _gauge(
            "series_in_trouble",
            "Series by what is wrong with them; one may have several troubles.",
            ("trouble",),
            [((name,), float(count)) for name, count in found.counts.items()] if found else [],
        )

    def registry(self) -> CollectorRegistry:
        """Return a registry that holds this collector alone."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return no gauge, so that registering this collector calls no server."""
        return ()


def _members(snapshot: FleetSnapshot) -> Iterator[GaugeMetricFamily]:
    workers, members = snapshot.workers, snapshot.members
    count, slots, busy = [], [], []
    if workers is not None and members is not None:
        found = Counter(member.kind for member in members)
        count = [((kind,), float(found[kind])) for kind in MemberKind]
        slots = [_one(sum(worker.slots for worker in workers))]
        busy = [_one(sum(worker.busy for worker in workers))]
    yield _gauge("fleet_members", "Processes that announced themselves lately.", ("kind",), count)
    yield _gauge("fleet_slots", "Slots of all workers.", (), slots)
    yield _gauge("fleet_busy_slots", "Slots of all workers that do a task.", (), busy)


def _units(work: Work | None) -> Iterator[GaugeMetricFamily]:
    waiting = work.waiting.items() if work else ()
    yield _gauge(
        "units_waiting",
        "Units of the ledger that could begin now.",
        ("queue",),
        [((queue,), float(found.units)) for queue, found in waiting],
    )
    yield _gauge(
        "units_oldest_wait_seconds",
        "How long the oldest unit that could begin has waited.",
        ("queue",),
        [((queue,), found.oldest_seconds) for queue, found in waiting],
    )
    deferred, running = ([_one(work.deferred)], [_one(work.running)]) if work else ([], [])
    yield _gauge("units_deferred", "Units put back, not due yet.", (), deferred)
    yield _gauge("units_running", "Units that a worker holds.", (), running)


def _pace(pace: PaceSnapshot | None) -> Iterator[GaugeMetricFamily]:
    rates, limits, in_progress, breaker = [], [], [], []
    if pace is not None:
        rates = [(("now",), pace.rate), (("ceiling",), pace.ceiling_rate)]
        limits = [
            (("now",), float(pace.concurrency)),
            (("ceiling",), float(pace.ceiling_concurrency)),
        ]
        in_progress = [_one(pace.in_progress)]
        breaker = [((state,), float(pace.breaker is state)) for state in BreakerState]
    yield _gauge("pace_fetches_per_second", "Fetches that may begin in a second.", ("of",), rates)
    yield _gauge("pace_concurrency", "Fetches that may be in progress.", ("of",), limits)
    yield _gauge("pace_in_progress", "Fetches in progress, in the whole fleet.", (), in_progress)
    yield _gauge("breaker_state", "1 for the breaker's state, else 0.", ("state",), breaker)


def _schedules(snapshot: FleetSnapshot) -> Iterator[GaugeMetricFamily]:
    schedules = snapshot.schedules or ()
    yield _gauge(
        "schedule_since_success_seconds",
        "Time since a run of the schedule last ended well; none before the first.",
        ("schedule",),
        [
            ((each.name,), since)
            for each in schedules
            if (since := snapshot.seconds_since_success(each)) is not None
        ],
    )
    yield _gauge(
        "schedule_late_seconds",
        "For how long a run has been due; 0 while paused, and while the last one is at work.",
        ("schedule",),
        [((each.name,), snapshot.seconds_late(each)) for each in schedules],
    )
    at_risk = snapshot.in_trouble.at_risk if snapshot.in_trouble else None
    yield _gauge(
        "schedule_series_at_risk",
        "Series of the schedule that lose history soon, since it does not sync them in time.",
        ("schedule",),
        [
            ((each.name,), float(sum(each.selects(one.series) for one in at_risk)))
            for each in schedules
            if at_risk is not None
        ],
    )


def _shards(snapshot: FleetSnapshot) -> Iterator[GaugeMetricFamily]:
    subscribed = [] if snapshot.subscribed is None else [_one(snapshot.subscribed)]
    text = "Symbols to be watched; 0 while that is stopped."
    yield _gauge("wished_symbols", text, (), subscribed)
    statuses = snapshot.streamer_statuses
    attended = []
    if statuses is not None:
        attended = [((shard,), float(shard in statuses)) for shard in snapshot.shards]
    text = "Whether a streamer has the shard."
    yield _gauge("shard_attended", text, ("shard",), attended)
    for name, text, value in _SHARD_GAUGES:
        samples = [((shard,), value(status)) for shard, status in (statuses or {}).items()]
        yield _gauge(f"shard_{name}", text, ("shard",), samples)


def _one(value: int) -> Sample:
    return (), float(value)


def _gauge(
    name: str, text: str, labels: Sequence[str], samples: Iterable[Sample]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"pocketquant_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
