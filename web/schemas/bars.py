"""`GET ohlcv`: its query, and its responses as rows or columns."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
)

from pocketquant.domain.calendar import BarLength
from pocketquant.domain.calendar.zones import parse_zone
from pocketquant.domain.errors import InvalidCalendar, InvalidInterval
from pocketquant.domain.intervals import Interval
from pocketquant.domain.resampling import CUSTOM_PATTERN, custom_length
from pocketquant.domain.syncs import MAX_BARS
from web.bars.stored_bars import Window
from web.schemas.fields import AsOf, Moment, UtcMoment
from web.schemas.provenance import ProvenanceOut
from web.schemas.requests import VariantFields
from web.times import EXCHANGE, UTC_TIMES

_DEFAULT_LIMIT = 1000


class Order(StrEnum):
    """`desc`: newest first; `asc`: oldest first."""

    DESC = "desc"
    ASC = "asc"


class Format(StrEnum):
    """`json` and `columns` are pages of JSON; the others are files of the whole range."""

    JSON = "json"
    COLUMNS = "columns"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    RAW = "raw"

    @property
    def is_streamed(self) -> bool:
        return self not in (Format.JSON, Format.COLUMNS)


def _parse_interval(value: object) -> Interval | str:
    """Return a stored interval, or the text of another length."""
    if isinstance(value, Interval):
        return value
    text = str(value)
    if text in _STORED:
        return _STORED[text]
    try:
        length = custom_length(text)
    except InvalidInterval as error:
        raise ValueError(str(error)) from error
    return _SAME_LENGTH.get(length, text)


def _require_zone(name: str) -> str:
    if name != EXCHANGE:
        try:
            parse_zone(name)
        except InvalidCalendar as error:
            raise ValueError(
                f"there is no time zone {name!r}; write a name such as America/New_York or"
                f" Asia/Tokyo, UTC, or {EXCHANGE} for the symbol's own"
            ) from error
    return name


_STORED = {each.value: each for each in Interval}
_SAME_LENGTH = {BarLength.of(each): each for each in Interval}
_LENGTH = {"type": "string", "pattern": f"^{CUSTOM_PATTERN}$", "default": Interval.D1.value}

AnyInterval = Annotated[Interval | str, BeforeValidator(_parse_interval), WithJsonSchema(_LENGTH)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_require_zone)]


class OhlcvQuery(VariantFields):
    interval: AnyInterval = Field(
        Interval.D1,
        description="bar length; case matters. Other numbers of minutes or hours (`10m`, `6h`) are"
        " computed from stored bars of a shorter interval, counted from the session's open; days,"
        " weeks and months (`2d`, `3M`) from stored days",
        examples=["1d", "10m", "6h", "2d"],
    )
    format: Format = Field(
        Format.JSON,
        description="`json` and `columns` return pages; `csv`, `parquet`, `arrow` (an IPC stream)"
        " and `raw` (blocks of float64 columns) return one file of the whole range",
        examples=["json"],
    )
    start_date: Moment | None = Field(
        None,
        description="only bars that open at or after this date (00:00 UTC) or moment (with offset)",
        examples=["2024-01-31", "2024-01-31T14:30:00Z"],
    )
    end_date: Moment | None = Field(
        None,
        description="only bars that open before this date (00:00 UTC) or moment (with offset)",
        examples=["2024-02-29"],
    )
    limit: int | None = Field(
        None,
        ge=1,
        description=f"maximum number of bars. `json` and `columns`: 1000 by default, at most"
        f" {MAX_BARS}. Files: the whole range by default; required if the bars are computed from"
        " a shorter interval",
        examples=[1000],
    )
    order: Order = Field(
        Order.DESC,
        description="`desc`: the newest bars of the range, newest first; `asc`: the oldest bars of"
        " the range, oldest first",
    )
    tz: Zone = Field(
        UTC_TIMES.zone_name,
        description="time zone of all times in the response: `UTC`, a name of the IANA database, or"
        " `exchange` for the symbol's own. JSON and CSV show its offset, Parquet and Arrow have"
        " timestamps of this zone, `raw` has epoch seconds in any case. A date in `start_date` or"
        " `end_date` begins at 00:00 UTC all the same",
        examples=["America/New_York"],
    )
    as_of: AsOf | None = Field(
        None,
        description="answer as at this moment, or at 00:00 UTC of this date: with the bars of"
        " history that were stored then, as they were then, without live bars and without a forming"
        " one. 410: so long ago that replaced values are no longer kept",
        examples=["2024-03-01T09:30:00Z"],
    )
    provenance: bool = Field(
        False,
        description="say where the bars of the range come from and whether they are whole: in the"
        " field `provenance`, in files in the header `X-Provenance`. Of bars that are computed,"
        " that of the stored ones which make them",
        examples=[True],
    )
    cursor: str | None = Field(
        None,
        max_length=64,
        description="`next_cursor` of the previous page; keep symbol, interval, range and order as"
        " they were for the first page",
        examples=["AQAAAABlud2AXxqLJg"],
    )

    def window(self) -> Window:
        limit = self.limit or _DEFAULT_LIMIT
        return Window(self.start_date, self.end_date, limit, self.order is Order.DESC)

    @field_validator("limit")
    @classmethod
    def _limit_fits_the_format(cls, limit: int | None, others: ValidationInfo) -> int | None:
        form = others.data.get("format", Format.JSON)
        if limit is not None and limit > MAX_BARS and not form.is_streamed:
            raise ValueError(f"must be at most {MAX_BARS} as {form}; a streamed format takes more")
        return limit

    @field_validator("cursor")
    @classmethod
    def _format_has_pages(cls, cursor: str | None, others: ValidationInfo) -> str | None:
        form = others.data.get("format", Format.JSON)
        if cursor is not None and form.is_streamed:
            raise ValueError(f"{form} is streamed whole and has no pages")
        return cursor

    @field_validator("end_date")
    @classmethod
    def _ends_after_start(cls, end: int | None, others: ValidationInfo) -> int | None:
        start = others.data.get("start_date")
        if start is not None and end is not None and end <= start:
            raise ValueError("must be later than start_date")
        return end


_TRADING_DAY = Field(
    None,
    description="the date that the bar belongs to; null: no calendar of the symbol is known; absent"
    " from bars shorter than a day",
    examples=["2024-01-30"],
)


class BarOut(BaseModel):
    """A closed bar."""

    datetime: UtcMoment = Field(description="open time of the bar")
    open: float = Field(examples=[190.94])
    high: float = Field(examples=[191.8])
    low: float = Field(examples=[187.47])
    close: float = Field(examples=[188.04])
    volume: float | None
    trading_day: date | None = _TRADING_DAY


class FormingOut(BaseModel):
    """The bar that has not closed yet, built from quotes or seen by the last sync."""

    bar_start: datetime
    bar_end: datetime
    open: float = Field(examples=[187.04])
    high: float = Field(examples=[187.1])
    low: float = Field(examples=[184.35])
    close: float = Field(examples=[184.4])
    volume: float | None = Field(examples=[55467803.0])
    partial: bool
    as_of: datetime
    source: str = Field(
        description="`live`: built from quotes; `history`: seen by a sync", examples=["history"]
    )
    trading_day: date | None = _TRADING_DAY


class LiveOut(BaseModel):
    """The bars of this response that were built from quotes, where history has none."""

    count: int = Field(description="how many of the newest bars are live bars")
    partial: list[datetime] = Field(
        description="open times of incomplete bars: live bars not seen from start to end, until a"
        " sync replaces them, and bars computed from shorter bars that do not cover them",
        examples=[[]],
    )
    stretches: list[list[datetime]] = Field(
        [],
        description="older live bars that fill holes in history: first and last open time of each"
        " run of such bars; absent if there are none",
        examples=[[["2024-01-30T14:30:00Z", "2024-01-30T14:45:00Z"]]],
    )

    @model_serializer(mode="wrap")
    def _omit_empty_stretches(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialize(self)
        if not document["stretches"]:
            del document["stretches"]
        return document


class _RequestedOut(BaseModel):
    """The fields of answers to requests with `as_of` and `provenance`; absent without them."""

    as_of: UtcMoment | None = Field(
        None,
        description="`as_of` of the request; absent without it",
        examples=["2024-03-01T09:30:00Z"],
    )
    reason: str | None = Field(
        None,
        description="with `as_of`: why there is no bar, if nothing was stored then",
        examples=["nothing of NASDAQ:AAPL|1d was stored at 2024-03-01T09:30:00Z"],
    )

    provenance: ProvenanceOut | None = Field(
        None, description="with `provenance`: where the bars come from; absent without it"
    )

    @model_serializer(mode="wrap")
    def _omit_unrequested(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialize(self)
        if document["provenance"] is None:
            del document["provenance"]
        if document["as_of"] is None:
            del document["as_of"], document["reason"]
        return document


class OhlcvOut(_RequestedOut):
    """A page of closed bars, and the bar that has not closed yet in `forming`."""

    symbol: str
    exchange: str
    interval: str = Field(description="the requested bar length")
    data: list[BarOut]
    count: int = Field(description="number of bars in `data`")
    next_cursor: str | None
    resampled_from: Interval | None
    live: LiveOut
    forming: FormingOut | None


class ColumnsOut(BaseModel):
    """Bars as lists of equal length."""

    datetime: list[UtcMoment] = Field(description="open times")
    open: list[float] = Field(description="first prices", examples=[[190.94]])
    high: list[float] = Field(description="highest prices", examples=[[191.8]])
    low: list[float] = Field(description="lowest prices", examples=[[187.47]])
    close: list[float] = Field(description="last prices", examples=[[188.04]])
    volume: list[float | None] = Field(
        description="traded volumes; null: unknown", examples=[[55859400.0]]
    )
    trading_day: list[date | None] = Field(
        [],
        description="dates that the bars belong to; null: no calendar of the symbol is known;"
        " absent for bars shorter than a day",
        examples=[["2024-01-30"]],
    )


class OhlcvColumnsOut(_RequestedOut):
    """A page of closed bars as columns (`format=columns`)."""

    symbol: str
    exchange: str
    interval: str = Field(description="the requested bar length")
    columns: ColumnsOut = Field(
        description="the bars, column by column",
        examples=[
            {
                "datetime": ["2024-01-30T14:30:00Z"],
                "open": [190.94],
                "high": [191.8],
                "low": [187.47],
                "close": [188.04],
                "volume": [55859400.0],
            }
        ],
    )
    count: int = Field(description="number of bars in `columns`")
    next_cursor: str | None
    resampled_from: Interval | None
    live: LiveOut
    forming: FormingOut | None
