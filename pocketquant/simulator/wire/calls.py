"""The calls of a chart session: their parameters, typed."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from pocketquant.simulator.wire.outgoing import CallRefused


class Resolve(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Give a symbol an id; `text` is `EXCHANGE:TICKER` or `={json}`."""

    session: str
    symbol_id: str
    text: str


class Anchored(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """In the place of a count: so many bars up to a time, or after it where `count` is negative."""

    kind: Literal["bar_count"]
    time: float
    count: int


class Create(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Make a series of a symbol, `count` bars back from the newest."""

    session: str
    series: str
    turnaround: str
    symbol_id: str
    resolution: str
    count: Annotated[int, msgspec.Meta(ge=1)] | Anchored
    range: str = ""


class Modify(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Give a series another symbol, resolution or range."""

    session: str
    series: str
    turnaround: str
    symbol_id: str
    resolution: str
    range: str = ""


class Remove(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Forget a series."""

    session: str
    series: str


class More(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Send `count` older bars; where it is negative, as many newer ones."""

    session: str
    series: str
    count: int


class CreateStudy(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Reckon something from the bars of a series."""

    session: str
    study: str
    turnaround: str
    series: str
    kind: str
    inputs: dict[str, Any]


class ModifyStudy(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Reckon it with other inputs."""

    session: str
    study: str
    turnaround: str
    inputs: dict[str, Any]


class RemoveStudy(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Reckon it no more."""

    session: str
    study: str


class Timezone(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Write marks in this time zone."""

    session: str
    timezone: str


class SymbolText(msgspec.Struct, frozen=True, rename={"currency": "currency-id"}):
    """A symbol as clients name it, with what they want of it."""

    symbol: str
    session: Literal["regular", "extended"] = "regular"
    currency: str = ""


Asked = TypeVar("Asked")


def read(kind: type[Asked], params: list[Any]) -> Asked:
    """The parameters as this kind of call, or `CallRefused`."""
    try:
        return msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise CallRefused("invalid parameters") from error


def symbol(text: str) -> SymbolText:
    """The symbol in `EXCHANGE:TICKER` or `={"symbol": …}`. Chart types are unsupported."""
    if not text.startswith("="):
        return SymbolText(text.upper())
    try:
        asked = msgspec.json.decode(text[1:], type=SymbolText)
        return msgspec.structs.replace(asked, symbol=asked.symbol.upper())
    except msgspec.DecodeError as error:
        raise CallRefused("invalid parameters") from error
