"""What a sync asks MongoDB: each command costs the worker's processor and a wait."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest
from pocketquant.messaging.queues import QueueName
from pocketquant.simulator.server import Simulator, running
from pocketquant.wiring import Platform, wire_syncer
from tests.integration.ranges import NOW, premium
from tests.integration.round_trips import counted_commands

MINUTES = Series.parse("NASDAQ:AAPL|1m")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A simulator whose clock stands still."""
    with running(clock=lambda: float(NOW)) as simulator:
        yield simulator


@pytest.fixture
def platform(wire_with: Callable[..., Platform], simulator: Simulator) -> Platform:
    return premium(wire_with, simulator)


def commands_of(platform: Platform, request: SyncRequest) -> Counter[str]:
    """Return the commands of a worker's sync."""
    unit_id = platform.intake.submit(request, QueueName.BULK).unit.id
    syncer = wire_syncer(platform)
    with counted_commands() as commands:
        syncer.do(unit_id)
    syncer.provider.hang_up()
    return commands


def test_a_first_sync_reads_each_chunk_once(platform: Platform) -> None:
    """The chunks that the fetch is compared with are those that it is merged into."""
    commands = commands_of(platform, SyncRequest(MINUTES, 500))
    of_bars = {name: count for name, count in commands.items() if name.endswith(" ohlcv")}
    assert {"aggregate ohlcv": 1, "update ohlcv": 1} == of_bars
    assert 499 == platform.bars.count(MINUTES)
