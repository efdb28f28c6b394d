"""Orders to misbehave."""

import pytest

from pocketquant.simulator.wire.faults import (
    OF_A_CONNECTION,
    OF_A_SERIES,
    OF_QUOTES,
    OF_TRADES,
    Fault,
    FaultKind,
    Faults,
)

STALL, LATENCY = FaultKind.STALL, FaultKind.LATENCY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stall", Fault(STALL)),
        ("stall:nasdaq:aapl", Fault(STALL, "NASDAQ:AAPL")),
        ("latency=2", Fault(LATENCY, None, "2")),
        ("latency=2:SIM:S0001", Fault(LATENCY, "SIM:S0001", "2")),
    ],
)
def test_an_order_is_read_from_text(text: str, expected: Fault) -> None:
    """A fault is parsed from KIND[=VALUE][:SYMBOL]."""
    assert expected == Fault.parse(text)


def test_an_unknown_kind_is_an_error() -> None:
    """An unknown kind raises ValueError."""
    with pytest.raises(ValueError, match="dance"):
        Fault.parse("dance")


def test_seconds_must_be_a_number() -> None:
    """A value that must be a number raises ValueError when the fault is made."""
    with pytest.raises(ValueError, match="soon"):
        Fault.parse("latency=soon")


def test_values_are_read_as_seconds_or_text() -> None:
    """A value is read as a number or text; without one, the default counts."""
    assert (2.0, 7.0) == (Fault(LATENCY, value="2").number(7), Fault(LATENCY).number(7))
    assert ("2", "why") == (Fault(LATENCY, value=2).text("why"), Fault(LATENCY).text("why"))


def test_a_fault_is_triggered_for_its_symbol_or_all() -> None:
    """A fault is triggered for its symbol or all, and only for its own kind."""
    faults = Faults()
    assert faults.trigger(STALL, "SIM:S0001") is None
    faults.order(Fault(STALL, "sim:s0001"))
    faults.order(Fault(LATENCY))
    assert Fault(STALL, "SIM:S0001") == faults.trigger(STALL, "SIM:S0001")
    assert faults.trigger(STALL, "SIM:S0002") is None
    assert Fault(LATENCY) == faults.trigger(LATENCY, "SIM:S0002") == faults.trigger(LATENCY)


def test_a_fault_may_be_used_up() -> None:
    """A fault with `times` ends after so many triggers."""
    faults = Faults()
    faults.order(Fault(STALL, times=2))
    assert [True, True, False] == [faults.trigger(STALL) is not None for _ in range(3)]
    assert [] == faults.ordered()


def test_a_new_fault_replaces_an_equal_one() -> None:
    """A fault replaces an earlier one of its kind and symbol."""
    faults = Faults()
    for fault in (Fault(LATENCY, value=1), Fault(LATENCY, "SIM:S0001"), Fault(LATENCY, value=2)):
        faults.order(fault)
    assert [Fault(LATENCY, "SIM:S0001"), Fault(LATENCY, value=2)] == faults.ordered()


@pytest.mark.parametrize(
    ("kind", "symbol", "left"),
    [
        (None, None, []),
        (STALL, None, [Fault(LATENCY), Fault(LATENCY, "SIM:S0001")]),
        (None, "sim:s0001", [Fault(LATENCY)]),
        (LATENCY, "SIM:S0001", [Fault(LATENCY), Fault(STALL, "SIM:S0001")]),
    ],
)
def test_orders_are_lifted(kind: FaultKind | None, symbol: str | None, left: list[Fault]) -> None:
    """Faults are lifted by kind, by symbol, by both, or all."""
    faults = Faults()
    for fault in (Fault(LATENCY), Fault(STALL, "SIM:S0001"), Fault(LATENCY, "SIM:S0001")):
        faults.order(fault)
    faults.lift(kind, symbol)
    assert set(left) == set(faults.ordered())


def test_a_series_does_not_use_up_other_faults() -> None:
    """The faults of handshakes, sign-ins and quotes are not triggered by a series."""
    assert {FaultKind.RATE_LIMIT, FaultKind.CAPTCHA, FaultKind.BAD_TOKEN}.isdisjoint(OF_A_SERIES)
    assert set(OF_A_SERIES).isdisjoint({*OF_A_CONNECTION, *OF_TRADES})
    assert set(OF_QUOTES) < set(OF_TRADES)


def test_several_kinds_may_be_triggered_at_once() -> None:
    """Each requested kind is triggered and used up by itself."""
    faults = Faults()
    assert (False, {}) == (faults.are_ordered, faults.triggered([STALL, LATENCY]))
    faults.order(Fault(STALL, "SIM:S0001", times=1))
    faults.order(Fault(LATENCY))
    assert faults.are_ordered
    assert {STALL, LATENCY} == faults.triggered([STALL, LATENCY], "SIM:S0001").keys()
    assert {LATENCY: Fault(LATENCY)} == faults.triggered([STALL, LATENCY], "SIM:S0001")
