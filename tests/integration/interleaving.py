"""Actors whose commands to MongoDB wait for their turn, so that a seed decides the order."""

import random
import threading
from collections.abc import Callable

from pymongo import monitoring


class Killed(BaseException):
    """Ends an actor before its next command, as kill -9 would; the driver does not catch it."""


class Actor:
    """Runs a function in a thread of its own, one command at a time."""

    def __init__(self, act: Callable[[], object], killed_after: int | None = None) -> None:
        self._act = act
        self._is_over = False
        self._remaining = killed_after
        self._may_go, self._has_stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run)
        self.failure: Exception | None = None
        self.was_killed = False
        self._thread.start()

    def step(self) -> bool:
        """Let the actor run to its next command; return False once it has ended."""
        if self._is_over:
            return False
        self._may_go.release()
        self._has_stopped.acquire()
        return not self._is_over

    def kill(self) -> None:
        """End the actor before its next command."""
        self._remaining = 0
        while self.step():
            pass

    def wait_for_turn(self) -> None:
        """Called in the actor's thread before each command."""
        self._has_stopped.release()
        self._may_go.acquire()
        if self._remaining is not None:
            self._remaining -= 1
            if self._remaining < 0:
                raise Killed

    def _run(self) -> None:
        TURNSTILE.here.actor = self
        self._may_go.acquire()
        try:
            self._act()
        except Killed:
            self.was_killed = True
        except Exception as error:  # noqa: BLE001  # `interleave` raises it
            self.failure = error
        finally:
            TURNSTILE.here.actor = None
            self._is_over = True
            self._has_stopped.release()


class Turnstile(monitoring.CommandListener):
    """Stops the actors' threads before each command; other threads pass."""

    def __init__(self) -> None:
        self.here = threading.local()

    def started(self, _: object) -> None:
        actor = getattr(self.here, "actor", None)
        if actor is not None:
            actor.wait_for_turn()

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...


TURNSTILE = Turnstile()
monitoring.register(TURNSTILE)  # of each client that is made from now on


def interleave(chance: random.Random, acts: list[Callable[[], object]], kills: float = 0) -> None:
    """Run the actors at once in random order, and kill a share of them midway.

    Raise the failure of an actor once all have ended.
    """
    actors = [
        Actor(act, chance.randrange(1, 15) if chance.random() < kills else None) for act in acts
    ]
    alive = list(actors)
    while alive:
        actor = chance.choice(alive)
        for _ in range(chance.randrange(1, 4)):
            if not actor.step():
                alive.remove(actor)
                break
    failures = [actor.failure for actor in actors if actor.failure is not None]
    if failures:
        raise failures[0]
