"""`Variant`: how the bars of a symbol are asked for. The default one has no mark in any text.

The marks follow the ticker in a fixed order: `AAPL;adjustment=dividends;session=extended`.
"""

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from pocketquant.domain.errors import InvalidSymbol

CURRENCY_PATTERN = r"[A-Z0-9]{2,16}"

# Texts as they are stored and shown: the marks in their order, without values of the default.
VARIANT_PATTERN = (
    rf"(;adjustment=(dividends|none))?(;session=extended)?(;currency={CURRENCY_PATTERN})?"
    r"(;back_adjustment=true)?(;settlement_as_close=(true|false))?"
)


class Adjustment(StrEnum):
    """By what the past is multiplied; with dividends, by splits too."""

    SPLITS = "splits"
    DIVIDENDS = "dividends"
    NONE = "none"


class TradingHours(StrEnum):
    """The hours of the bars; extended ones begin before the open and end after the close."""

    REGULAR = "regular"
    EXTENDED = "extended"


@dataclass(frozen=True, slots=True)
class Variant:
    """The choices of a series.

    An empty currency is the listing's own. `back_adjustment` and `settlement_as_close` are of
    continuous futures; None leaves the choice to the provider.
    """

    adjustment: Adjustment = Adjustment.SPLITS
    session: TradingHours = TradingHours.REGULAR
    currency: str = ""
    back_adjustment: bool = False
    settlement_as_close: bool | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `adjustment=dividends;session=extended`: any order, any case."""
        given: dict[str, Any] = {}
        for mark in text.split(";"):
            name, _, value = (part.strip() for part in mark.lower().partition("="))
            if name in given:
                raise InvalidSymbol(f"{name} is given twice")
            given[name] = _value(name, value)
        return cls(**given)

    def __str__(self) -> str:
        return "".join(f";{name}={text_of(value)}" for name, value in self.choices.items())

    def __lt__(self, other: "Variant") -> bool:
        return str(self) < str(other)

    @property
    def choices(self) -> dict[str, Any]:
        """The values that are not the default's, by their names, in their order."""
        values = ((name, getattr(self, name)) for name in _DEFAULTS)
        return {name: value for name, value in values if value != _DEFAULTS[name]}


def text_of(value: object) -> str:
    """Return a choice as it is written: `dividends`, `true`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


DEFAULT = Variant()

_DEFAULTS = asdict(DEFAULT)
_SWITCH = {"true": True, "false": False}
_VALUES: dict[str, dict[str, Any]] = {
    "adjustment": {each.value: each for each in Adjustment},
    "session": {each.value: each for each in TradingHours},
    "back_adjustment": _SWITCH,
    "settlement_as_close": _SWITCH,
}
_CURRENCY = re.compile(CURRENCY_PATTERN)


def _value(name: str, text: str) -> Any:
    if name == "currency" and _CURRENCY.fullmatch(text.upper()):
        return text.upper()
    if name not in _DEFAULTS:
        raise InvalidSymbol(f"{name[:80]!r} is no choice; there are {', '.join(_DEFAULTS)}")
    allowed = _VALUES.get(name, {CURRENCY_PATTERN: ""})
    if text not in allowed:
        raise InvalidSymbol(f"{name} is {text[:80]!r}; it may be {' or '.join(allowed)}")
    return allowed[text]
