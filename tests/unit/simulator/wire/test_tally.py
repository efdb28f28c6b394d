"""The simulator counts what it receives and sends."""

from pocketquant.simulator.wire.tally import Tally


def test_counts_are_plain_values() -> None:
    """The counts include the sums over all symbols."""
    tally = Tally(connections=3)
    tally.requested.update(["SIM:S0001", "SIM:S0001", "NASDAQ:NOSUCH"])
    tally.served.update(["SIM:S0001"])
    counts = tally.as_dict()
    assert (3, 3, 1) == tuple(
        counts[name] for name in ("connections", "series_requested", "series_served")
    )
    assert {"SIM:S0001": 2, "NASDAQ:NOSUCH": 1} == counts["requested"]
