"""A turn that is far off."""

from pocketquant.domain.errors import ProviderDown
from pocketquant.domain.turns import TurnFarOff


def test_a_turn_far_off() -> None:
    """Its text says when to come again."""
    error = ProviderDown("it is down")
    turn = TurnFarOff(2.34, error)
    assert ("not before 2.3 s", 2.34, error) == (str(turn), turn.delay_seconds, turn.error)
