"""Stored bars: which are asked for, and what is answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
)

from pocketquant.domain.errors import InvalidInterval
from pocketquant.domain.intervals import Interval
from pocketquant.domain.resampling import CUSTOM_PATTERN, custom_seconds
from pocketquant.domain.syncs import MAX_BARS
from web.bars.stored_bars import Window
from web.schemas.fields import Moment
from web.schemas.given import Given

UtcMoment = datetime  # a field named datetime hides the type

_DEFAULT_LIMIT = 1000


class Order(StrEnum):
    """Newest first, or oldest first."""

    DESC = "desc"
    ASC = "asc"


class Format(StrEnum):
    """How bars are written: two forms of JSON, or a file that is streamed."""

    JSON = "json"
    COLUMNS = "columns"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    RAW = "raw"

    @property
    def is_streamed(self) -> bool:
        return self not in (Format.JSON, Format.COLUMNS)


def _interval(given: object) -> Interval | str:
    """One of the 13, or a length in minutes or hours as it is written."""
    if isinstance(given, Interval):
        return given
    text = str(given)
    if text in _STORED:
        return _STORED[text]
    try:
        seconds = custom_seconds(text)
    except InvalidInterval as error:
        raise ValueError(str(error)) from error
    return _INTRADAY.get(seconds, text)


_STORED = {each.value: each for each in Interval}
_INTRADAY = {each.seconds: each for each in Interval if each.is_intraday}
_LENGTH = {
    "type": "string",
    "anyOf": [{"enum": list(_STORED)}, {"pattern": f"^{CUSTOM_PATTERN}$"}],
    "default": Interval.D1.value,
}

AnyInterval = Annotated[Interval | str, BeforeValidator(_interval), WithJsonSchema(_LENGTH)]


class OhlcvQuery(Given):
    interval: AnyInterval = Field(
        Interval.D1,
        description="bar length; case matters. Another number of minutes or hours, up to a week,"
        " is made of stored bars that divide it (`resampled_from`)",
        examples=["1d", "10m", "6h"],
    )
    format: Format = Field(
        Format.JSON,
        description="`json` and `columns` come in pages; `csv`, `parquet`, `arrow`"
        " (an IPC stream) and `raw` (blocks of float64 columns) are files of the whole range",
        examples=["json"],
    )
    start_date: Moment | None = Field(
        None,
        description="bars that open at or after it: a date (00:00 UTC) or a moment with its offset",
        examples=["2024-01-31", "2024-01-31T14:30:00Z"],
    )
    end_date: Moment | None = Field(
        None,
        description="bars that open before it: a date (00:00 UTC) or a moment with its offset",
        examples=["2024-02-29"],
    )
    limit: int | None = Field(
        None,
        ge=1,
        description=f"at most so many bars; for `json` and `columns` 1000 where nothing is said,"
        f" and never more than {MAX_BARS}; for the others all of the range, unless the bars are"
        " made of shorter ones: then a limit is wanted",
        examples=[1000],
    )
    order: Order = Field(
        Order.DESC,
        description="`desc`: the newest bars of the range, newest first;"
        " `asc`: the oldest ones, oldest first",
    )

    cursor: str | None = Field(
        None,
        max_length=64,
        description="`next_cursor` of the page before; symbol, interval, range and order must be"
        " those of the first page",
        examples=["AQAAAABlud2AXxqLJg"],
    )

    def window(self) -> Window:
        limit = self.limit or _DEFAULT_LIMIT
        return Window(self.start_date, self.end_date, limit, self.order is Order.DESC)

    @field_validator("limit")
    @classmethod
    def _fits_the_format(cls, limit: int | None, others: ValidationInfo) -> int | None:
        form = others.data.get("format", Format.JSON)
        if limit is not None and limit > MAX_BARS and not form.is_streamed:
            raise ValueError(f"must be at most {MAX_BARS} as {form}; a streamed format takes more")
        return limit

    @field_validator("cursor")
    @classmethod
    def _is_of_a_page(cls, cursor: str | None, others: ValidationInfo) -> str | None:
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


class BarOut(BaseModel):
    datetime: UtcMoment = Field(description="open time", examples=["2024-01-30T14:30:00Z"])
    open: float = Field(examples=[190.94])
    high: float = Field(examples=[191.8])
    low: float = Field(examples=[187.47])
    close: float = Field(examples=[188.04])
    volume: float | None = Field(description="null where there is none", examples=[55859400.0])


class FormingOut(BaseModel):
    """The newest bar until its `bar_end`, as quotes make it or the last sync saw it."""

    bar_start: datetime
    bar_end: datetime = Field(examples=["2024-01-31T21:00:00Z"])
    open: float = Field(examples=[187.04])
    high: float = Field(examples=[187.1])
    low: float = Field(examples=[184.35])
    close: float = Field(examples=[184.4])
    volume: float | None = Field(description="null where there is none", examples=[55467803.0])
    partial: bool = Field(description="not all of it was seen", examples=[False])
    as_of: datetime = Field(description="when it was seen", examples=["2024-01-31T18:00:00Z"])
    source: str = Field(
        description="`live`: built from quotes; `history`: seen by a sync", examples=["history"]
    )


class LiveOut(BaseModel):
    """The bars of an answer that were built from quotes."""

    count: int = Field(description="the newest so many", examples=[1])
    partial: list[datetime] = Field(
        description="open times of the bars that are not made of all their time: live ones not"
        " seen from start to end, until a sync replaces them, and those made of shorter bars that"
        " do not cover them",
        examples=[[]],
    )
    stretches: list[list[datetime]] = Field(
        [],
        description="older live bars, where history has a hole: first and last open time of each"
        " run of them; left out where there are none",
        examples=[[["2024-01-30T14:30:00Z", "2024-01-30T14:45:00Z"]]],
    )

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialize(self)
        if not document["stretches"]:
            del document["stretches"]
        return document


class OhlcvOut(BaseModel):
    """Closed bars, and beside them the one that is still being built."""

    symbol: str
    exchange: str
    interval: str = Field(description="as it was asked for", examples=["1d"])
    data: list[BarOut]
    count: int = Field(description="bars in `data`", examples=[1])
    next_cursor: str | None = Field(
        description="`cursor` of the next page; null on the last one", examples=[None]
    )
    resampled_from: Interval | None = Field(
        description="the stored interval these bars were made of; null where they are stored",
        examples=[None],
    )
    live: LiveOut
    forming: FormingOut | None


class ColumnsOut(BaseModel):
    """Six lists of one length."""

    datetime: list[UtcMoment] = Field(description="open times", examples=[["2024-01-30T14:30:00Z"]])
    open: list[float] = Field(examples=[[190.94]])
    high: list[float] = Field(examples=[[191.8]])
    low: list[float] = Field(examples=[[187.47]])
    close: list[float] = Field(examples=[[188.04]])
    volume: list[float | None] = Field(
        description="null where there is none", examples=[[55859400.0]]
    )


class OhlcvColumnsOut(BaseModel):
    """The same as columns (`format=columns`)."""

    symbol: str
    exchange: str
    interval: str = Field(description="as it was asked for", examples=["1d"])
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
    count: int = Field(description="bars in `columns`", examples=[1])
    next_cursor: str | None = Field(
        description="`cursor` of the next page; null on the last one", examples=[None]
    )
    resampled_from: Interval | None = Field(
        description="the stored interval these bars were made of; null where they are stored",
        examples=[None],
    )
    live: LiveOut
    forming: FormingOut | None
