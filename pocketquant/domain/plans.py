"""`AccountPlan`: the limits of an account at the provider, as far as they are known.

The provider states no limit of bars. These are reported by users; what a fetch finds counts more.
"""

from dataclasses import dataclass

_MOST_BARS = (
    ("ultimate", 40_000),
    ("elite", 30_000),
    ("expert", 25_000),
    ("premium", 20_000),
    ("plus", 10_000),
    ("essential", 10_000),
    ("pro", 10_000),
)
_MOST_BARS_WITHOUT = 5_000


@dataclass(frozen=True, slots=True)
class BarLimit:
    """How many of its newest bars the provider serves of an intraday series; None: not known.

    Either a fetch has `met` this limit, or users have `reported` it for the plan. The latter bounds
    nothing: it may be wrong.
    """

    met: int | None = None
    reported: int | None = None

    def __str__(self) -> str:
        if self.met is not None:
            return f"{self.met} bars of a series below a day, as a sync has met"
        if self.reported is not None:
            return f"{self.reported} bars of a series below a day"
        return ""


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """A plan's name, its bars of one intraday series, its open connections; None: not known."""

    name: str
    most_bars: int | None = None
    most_connections: int | None = None

    def bar_limit(self, met: int | None) -> BarLimit:
        """Return the limit that a fetch has met, else the one that users report."""
        return BarLimit(met) if met is not None else BarLimit(reported=self.most_bars)


NO_PLAN = AccountPlan("", _MOST_BARS_WITHOUT)


def plan_named(name: str, most_connections: int | None = None) -> AccountPlan:
    """Return the plan that an account's token names, such as `pro_premium`."""
    bars = (most for word, most in _MOST_BARS if word in name.lower())
    return AccountPlan(name, next(bars, None), most_connections)
