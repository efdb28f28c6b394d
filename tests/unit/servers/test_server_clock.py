"""Our clock beside the time in MongoDB's heartbeats."""

from datetime import UTC, datetime

import pytest
from pymongo.hello import Hello
from pymongo.monitoring import ServerHeartbeatSucceededEvent

from pocketquant.servers.server_clock import ServerClock

NOW = 1_700_000_000.0


def heartbeat(ahead: float, *, is_primary: bool = True) -> ServerHeartbeatSucceededEvent:
    """Return a heartbeat of a server whose clock is so many seconds ahead of ours."""
    time = datetime.fromtimestamp(NOW + ahead, UTC).replace(tzinfo=None)
    role = "isWritablePrimary" if is_primary else "secondary"
    reply = {"ok": 1, "localTime": time, "setName": "rs0", role: True}
    return ServerHeartbeatSucceededEvent(0.001, Hello(reply), ("localhost", 27017))


@pytest.mark.parametrize(
    ("heartbeats", "expected"),
    [
        ([], 0),
        ([heartbeat(-1.5)], 0),
        ([heartbeat(3)], 3),
        ([heartbeat(-200_000)], -200_000),
        ([heartbeat(3), heartbeat(5)], 5),
        ([heartbeat(3), heartbeat(0.5)], 0),
        ([heartbeat(3, is_primary=False)], 0),
    ],
)
def test_a_clock_that_differs_by_more_than_two_seconds_is_corrected(
    heartbeats: list[ServerHeartbeatSucceededEvent], expected: float
) -> None:
    """The last heartbeat of a primary counts; it arrives late, so a smaller difference does not."""
    clock = ServerClock(lambda: NOW)
    for each in heartbeats:
        clock.succeeded(each)
    assert NOW + expected == clock()
