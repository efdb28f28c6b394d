"""Syncers with a provider and a clock of the test's own."""

from collections.abc import Callable
from dataclasses import replace

from pocketquant.history.paced_provider import PacedProvider, Provider
from pocketquant.history.syncer import Syncer
from pocketquant.wiring import Platform, wire_syncer


def syncer_with(platform: Platform, provider: Provider, clock: Callable[[], float]) -> Syncer:
    """Return the syncer of a worker that fetches from this provider."""
    paced = PacedProvider(provider, platform.governor, platform.settings.turn_seconds)
    return replace(wire_syncer(platform), provider=paced, clock=clock)
