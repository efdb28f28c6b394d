"""Syncers with a provider and a clock of the test's own."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

from pocketquant.domain.dates import to_date
from pocketquant.domain.syncs import History, Page, SyncRequest
from pocketquant.history.paced_provider import PacedProvider, Provider
from pocketquant.history.syncer import Syncer
from pocketquant.servers.connections import Mongo
from pocketquant.wiring import Platform, wire_syncer

_LONG_AGO = to_date(0)


def syncer_with(platform: Platform, provider: Provider, clock: Callable[[], float]) -> Syncer:
    """Return the syncer of a worker that fetches from this provider."""
    paced = PacedProvider(provider, platform.governor, platform.settings.turn_seconds)
    return replace(wire_syncer(platform), provider=paced, clock=clock)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Watched:
    """The real provider, with an action before each page is returned."""

    provider: Provider
    meanwhile: Callable[[int], object]
    oldest: list[int | None] = field(default_factory=list)

    def fetch(self, request: SyncRequest) -> History:
        return self.provider.fetch(request)

    def pages(self, request: SyncRequest, oldest: int | None) -> Generator[Page]:
        self.oldest.append(oldest)
        for number, page in enumerate(self.provider.pages(request, oldest)):
            self.meanwhile(number)
            yield page

    def hang_up(self) -> None:
        self.provider.hang_up()


def watched(syncer: Syncer, meanwhile: Callable[[int], object]) -> tuple[Syncer, Watched]:
    """Return the syncer with an action before it gets page 0, 1, …"""
    provider = Watched(syncer.provider.provider, meanwhile)
    return replace(syncer, provider=replace(syncer.provider, provider=provider)), provider


def killing(number: int) -> Callable[[int], None]:
    """Return the action that kills the process before it gets this page."""

    def meanwhile(reached: int) -> None:
        if reached == number:
            raise Killed

    return meanwhile


def lose(mongo: Mongo) -> None:
    """Let the leases of a killed worker expire, and put off nothing."""
    expired = {"$set": {"lease_until": _LONG_AGO}, "$unset": {"not_before": ""}}
    mongo["units"].update_many({"active": True}, expired)
