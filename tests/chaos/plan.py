"""The plan of a run: user requests and faults, drawn from one seed.

It is pure: no process, no clock. Acts of users follow each other at random moments. Troubles
come in streams, one stream for each group of processes: within a stream one trouble ends before the
next one begins, and troubles of different streams overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from random import Random

POOL = tuple(f"SIM:S{number:04}" for number in range(1, 121))
WATCHED = tuple(f"SIM:S{number:04}" for number in range(901, 909))  # from start to end
WAVERING = tuple(f"SIM:S{number:04}" for number in range(911, 917))  # subscribed now and then
SICK = tuple(
    f"SIM:S{number:04}" for number in range(801, 807)
)  # unknown to the provider until the fault is lifted
SICKNESS = "symbol_error"
UNKNOWN = tuple(f"NOSUCH:N{number}" for number in range(1, 4))  # unknown for ever
OFTEN = ("all-series", "daily-series")  # the schedules that are due every minute or two

MONGODS = ("mongod-0", "mongod-1", "mongod-2")
PRIMARY = "primary"  # the member that is primary when the trouble begins
REDIS = "redis"
CACHE = "cache"  # the Redis of cached answers
PROVIDER = "provider"

_WARM_UP_SECONDS = 4.0
_READ_PREFERENCES = ("primary", "secondaryPreferred")  # of MONGODB_URL; both must work


class Ask(StrEnum):
    """A kind of user request."""

    BULK = "bulk"
    BACKGROUND = "background"
    INTERACTIVE = "interactive"
    CANCEL = "cancel"
    RETRY = "retry"
    RETRY_CODE = "retry_code"
    RETRY_DEAD_LETTERS = "retry_dead_letters"
    RUN_SCHEDULE = "run_schedule"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    READ = "read"
    STREAM = "stream"


class Harm(StrEnum):
    """A kind of harm to a process, or misbehaviour of the provider."""

    KILL = "kill"
    FREEZE = "freeze"
    STEP_DOWN = "step_down"
    WIPE = "wipe"
    MISBEHAVE = "misbehave"
    HEAL_SICK = "heal_sick"


@dataclass(frozen=True, slots=True)
class Act:
    """A request of a user, `at` seconds after the start.

    `about` is the number of an earlier act whose job it concerns. An act with a key is sent until
    it is acknowledged, and once more.
    """

    at: float
    number: int
    ask: Ask
    symbols: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    n_bars: int = 0
    timeout: int | None = None
    has_key: bool = False
    about: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Harm done to `targets` at a moment, for `seconds`."""

    at: float
    harm: Harm
    targets: tuple[str, ...]
    seconds: float
    fault: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All acts and troubles in order of time, and the read preference of the processes."""

    acts: tuple[Act, ...]
    troubles: tuple[Trouble, ...]
    read_preference: str


def draw(seed: int, seconds: float, programs: dict[str, tuple[str, ...]]) -> Plan:
    """Draw the plan of this seed; `programs` names the processes of each kind."""
    acts = sorted(_acts(Random(f"{seed}/acts"), seconds), key=lambda act: act.at)
    troubles = [
        trouble
        for stream in (
            _mongo(Random(f"{seed}/mongo"), seconds),
            _redis(Random(f"{seed}/redis"), seconds, REDIS),
            _redis(Random(f"{seed}/cache"), seconds, CACHE),
            _provider(Random(f"{seed}/provider"), seconds),
            *(
                _programs(Random(f"{seed}/{kind}"), seconds, names, _REST_OF.get(kind, 15.0))
                for kind, names in programs.items()
            ),
        )
        for trouble in stream
    ]
    return Plan(
        tuple(acts),
        tuple(sorted(troubles, key=lambda trouble: trouble.at)),
        Random(f"{seed}/reads").choice(_READ_PREFERENCES),
    )


_PAUSES = {  # between two acts of a kind, in seconds, on average
    Ask.BULK: 8.0,
    Ask.BACKGROUND: 3.0,
    Ask.INTERACTIVE: 1.2,
    Ask.CANCEL: 8.0,
    Ask.RETRY: 9.0,
    Ask.RETRY_CODE: 6.0,
    Ask.RETRY_DEAD_LETTERS: 15.0,
    Ask.RUN_SCHEDULE: 20.0,
    Ask.SUBSCRIBE: 14.0,
    Ask.UNSUBSCRIBE: 14.0,
    Ask.READ: 1.0,
    Ask.STREAM: 10.0,
}
_REST_OF = {"web": 25.0, "push": 25.0}  # between two troubles: they take long to start
_RACING_SHARE = 0.5  # of bulk jobs
_ABOUT_JOBS = frozenset({Ask.CANCEL, Ask.RETRY, Ask.RETRY_CODE, Ask.STREAM})


def _acts(chance: Random, seconds: float) -> Iterator[Act]:
    moments = sorted(
        (at, ask)
        for ask, pause in _PAUSES.items()
        for at in _moments(chance, seconds, pause, first=0.5)
    )
    numbers = count()
    bulks: list[int] = []
    for at, ask in moments:
        number = next(numbers)
        if ask in _ABOUT_JOBS:
            if bulks:
                yield Act(at, number, ask, about=chance.choice(bulks[-4:]))
            continue
        act = _act(chance, at, number, ask)
        yield act
        if ask is Ask.BULK:
            bulks.append(number)
            if chance.random() < _RACING_SHARE:
                yield from _race(chance, act, numbers)


def _race(chance: Random, first: Act, numbers: Iterator[int]) -> Iterator[Act]:
    """Return a job for the series of another job, which is cancelled while this one is planned."""
    at = first.at + chance.uniform(0.0, 1.0)
    yield replace(first, at=at, number=next(numbers), n_bars=first.n_bars + 1)
    yield Act(first.at + chance.uniform(0.2, 2.5), next(numbers), Ask.CANCEL, about=first.number)


def _act(chance: Random, at: float, number: int, ask: Ask) -> Act:
    match ask:
        case Ask.BULK:
            symbols = chance.sample(POOL, chance.randrange(10, 70))
            if chance.random() < 0.6:  # shared failures
                symbols += chance.sample(SICK, 4) + chance.sample(UNKNOWN, 1)
            if chance.random() < 0.3:  # history overtakes live bars
                symbols += chance.sample(WATCHED, 2)
            intervals = tuple(chance.sample(("1m", "5m", "1d"), chance.choice((1, 1, 2))))
            n_bars = chance.randrange(10, 300)
            has_key = chance.random() < 0.5
            return Act(at, number, ask, tuple(symbols), intervals, n_bars, has_key=has_key)
        case Ask.BACKGROUND | Ask.INTERACTIVE:
            symbol = chance.choice(POOL if chance.random() < 0.9 else SICK + WATCHED)
            interval = chance.choice(("1m", "5m", "1d"))
            timeout = chance.choice((None, None, 0, 2)) if ask is Ask.INTERACTIVE else None
            has_key = chance.random() < 0.3
            n_bars = chance.randrange(10, 300)
            return Act(at, number, ask, (symbol,), (interval,), n_bars, timeout, has_key)
        case Ask.SUBSCRIBE | Ask.UNSUBSCRIBE:
            return Act(at, number, ask, tuple(chance.sample(WAVERING, 2)))
        case Ask.RUN_SCHEDULE:
            return Act(at, number, ask, name=chance.choice(OFTEN))
        case Ask.READ:
            symbol = chance.choice(POOL if chance.random() < 0.5 else WATCHED)
            return Act(at, number, ask, (symbol,), (chance.choice(("1m", "1m", "5m", "1d")),))
        case _:
            return Act(at, number, ask)


def _mongo(chance: Random, seconds: float) -> Iterator[Trouble]:
    for at, length in _stretches(chance, seconds, pause=18.0, shortest=2.0, longest=9.0):
        harm = chance.choice((Harm.STEP_DOWN, Harm.KILL, Harm.KILL, Harm.FREEZE, Harm.FREEZE))
        two = tuple(chance.sample(MONGODS, 2))
        targets = chance.choice(((PRIMARY,), (PRIMARY,), (chance.choice(MONGODS),), two))
        yield Trouble(at, harm, (PRIMARY,) if harm is Harm.STEP_DOWN else targets, length)


def _redis(chance: Random, seconds: float, name: str) -> Iterator[Trouble]:
    for at, length in _stretches(chance, seconds, pause=25.0, shortest=1.0, longest=8.0):
        harm = chance.choice((Harm.KILL, Harm.FREEZE, Harm.WIPE, Harm.WIPE))
        yield Trouble(at, harm, (name,), 0.0 if harm is Harm.WIPE else length)


_FAULTS: tuple[tuple[str, float | None], ...] = (
    ("rate_limit", None),
    ("refuse", None),
    ("critical_error", None),
    ("series_error", None),
    ("drop", None),
    ("stall", None),
    ("no_completed", None),
    ("latency", 1.0),
    ("quotes_drop", None),
    ("quotes_stall", None),
)


def _provider(chance: Random, seconds: float) -> Iterator[Trouble]:
    for at, length in _stretches(chance, seconds, pause=12.0, shortest=1.0, longest=6.0):
        harms = (Harm.KILL, Harm.FREEZE, Harm.HEAL_SICK, *[Harm.MISBEHAVE] * 4)
        harm = chance.choice(harms)
        fault, value = chance.choice(_FAULTS) if harm is Harm.MISBEHAVE else ("", None)
        yield Trouble(at, harm, (PROVIDER,), length, fault, value)


def _programs(
    chance: Random, seconds: float, names: tuple[str, ...], pause: float
) -> Iterator[Trouble]:
    for at, length in _stretches(chance, seconds, pause, shortest=0.0, longest=10.0):
        harm = chance.choice((Harm.KILL, Harm.KILL, Harm.FREEZE))
        both = len(names) > 1 and chance.random() < 0.15
        yield Trouble(at, harm, names if both else (chance.choice(names),), length)


def _moments(chance: Random, seconds: float, pause: float, first: float) -> Iterator[float]:
    at = first + chance.random() * pause
    while at < seconds:
        yield at
        at += chance.expovariate(1 / pause)


def _stretches(
    chance: Random, seconds: float, pause: float, shortest: float, longest: float
) -> Iterator[tuple[float, float]]:
    """Draw moments and lengths that do not overlap and end within the time."""
    at = _WARM_UP_SECONDS + chance.random() * pause
    while True:
        length = chance.uniform(shortest, longest)
        if at + length > seconds:
            return
        yield at, length
        at += length + 1.0 + chance.expovariate(1 / pause)
