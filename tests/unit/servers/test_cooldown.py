"""How long a server that failed is left alone."""

from pocketquant.servers.cooldown import COOLDOWN_SECONDS, Cooldown


def test_a_server_is_left_alone_after_its_failure_only() -> None:
    """The cooldown begins with a failure, whatever the clock shows, and ends by itself."""
    now = -1e9
    cooldown = Cooldown(lambda: now)
    assert not cooldown.is_active
    cooldown.start()
    assert cooldown.is_active
    now += COOLDOWN_SECONDS
    assert not cooldown.is_active


def test_each_failure_starts_the_cooldown_again() -> None:
    """It lasts from the last failure on."""
    now = 0.0
    cooldown = Cooldown(lambda: now)
    cooldown.start()
    now = COOLDOWN_SECONDS - 1.0
    cooldown.start()
    now = COOLDOWN_SECONDS
    assert cooldown.is_active
