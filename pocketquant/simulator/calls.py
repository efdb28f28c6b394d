"""The calls of a chart session: their parameters, typed."""

from typing import Annotated, Any, TypeVar

import msgspec

from pocketquant.simulator.outgoing import Refused


class Resolve(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Give a symbol an id; `text` is `EXCHANGE:TICKER` or `={json}`."""

    session: str
    symbol_id: str
    text: str


class Create(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Make a series of a symbol, `count` bars back from the newest."""

    session: str
    series: str
    turnaround: str
    symbol_id: str
    resolution: str
    count: Annotated[int, msgspec.Meta(ge=1)]
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
    """Send `count` older bars."""

    session: str
    series: str
    count: Annotated[int, msgspec.Meta(ge=1)]


class Timezone(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Write marks in this time zone."""

    session: str
    timezone: str


class _SymbolText(msgspec.Struct, frozen=True):
    symbol: str


Asked = TypeVar("Asked")


def read(kind: type[Asked], params: list[Any]) -> Asked:
    """The parameters as this kind of call, or `Refused`."""
    try:
        return msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise Refused("invalid parameters") from error


def symbol_name(text: str) -> str:
    """The symbol in `EXCHANGE:TICKER` or `={"symbol": …}`. Chart types are not to be had."""
    if not text.startswith("="):
        return text.upper()
    try:
        return msgspec.json.decode(text[1:], type=_SymbolText).symbol.upper()
    except msgspec.DecodeError as error:
        raise Refused("invalid parameters") from error
