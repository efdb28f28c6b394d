"""The typed parameters of a chart session's calls."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from pocketquant.simulator.wire.outgoing import CallRefused


class _Parameters(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """The parameters of a call; the first one is its chart session."""

    session: str


class Resolve(_Parameters, frozen=True):
    """Define a symbol's id; `text` is `EXCHANGE:TICKER` or `={json}`."""

    symbol_id: str
    text: str


class Anchored(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Replaces a count: `count` bars up to a time, or after it if `count` is negative."""

    kind: Literal["bar_count"]
    time: float
    count: int


class Create(_Parameters, frozen=True):
    """Create a series of a symbol with its newest `count` bars."""

    series: str
    turnaround: str
    symbol_id: str
    resolution: str
    count: Annotated[int, msgspec.Meta(ge=1)] | Anchored
    range: str = ""


class Modify(_Parameters, frozen=True):
    """Change a series' symbol, resolution or range."""

    series: str
    turnaround: str
    symbol_id: str
    resolution: str
    range: str = ""


class Remove(_Parameters, frozen=True):
    """Remove a series."""

    series: str


class More(_Parameters, frozen=True):
    """Request `count` older bars, or newer ones if `count` is negative."""

    series: str
    count: int


class FirstBar(_Parameters, frozen=True):
    """Request when the history of a symbol begins."""

    symbol_id: str
    resolution: str


class CreateStudy(_Parameters, frozen=True):
    """Create a study, a computation on the bars of a series."""

    study: str
    turnaround: str
    series: str
    kind: str
    inputs: dict[str, Any]


class ModifyStudy(_Parameters, frozen=True):
    """Change a study's inputs."""

    study: str
    turnaround: str
    inputs: dict[str, Any]


class RemoveStudy(_Parameters, frozen=True):
    """Remove a study."""

    study: str


class Timezone(_Parameters, frozen=True):
    """Use this time zone for marks."""

    timezone: str


class SymbolText(msgspec.Struct, frozen=True, rename={"currency": "currency-id"}):
    """A symbol with the client's choice of session, currency and adjustment."""

    symbol: str
    session: Literal["regular", "extended"] = "regular"
    currency: str = ""
    adjustment: Literal["splits", "dividends", "none"] = "splits"


Parameters = TypeVar("Parameters", bound=_Parameters)


def read(kind: type[Parameters], params: list[Any]) -> Parameters:
    """Convert the parameters of a call; `CallRefused` if they are invalid."""
    try:
        return msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise CallRefused("invalid parameters") from error


def symbol(text: str) -> SymbolText:
    """Parse `EXCHANGE:TICKER` or `={"symbol": …}`. Chart types are not supported."""
    if not text.startswith("="):
        return SymbolText(text.upper())
    try:
        decoded = msgspec.json.decode(text[1:], type=SymbolText)
        return msgspec.structs.replace(decoded, symbol=decoded.symbol.upper())
    except msgspec.DecodeError as error:
        raise CallRefused("invalid parameters") from error
