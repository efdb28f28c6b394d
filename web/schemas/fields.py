"""Field types of schemas: exchange, ticker, number of bars, name and life of a key, moment."""

import time
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from pocketquant.domain.symbols import EXCHANGE_PATTERN, TICKER_PATTERN
from pocketquant.domain.syncs import EARLIEST_START, MAX_BARS
from pocketquant.domain.variants import CURRENCY_PATTERN, VARIANT_PATTERN, Variant
from pocketquant.storage.access import (
    LONGEST_LIFE_SECONDS,
    LONGEST_NAME,
    SHORTEST_LIFE_SECONDS,
    is_key_name,
)
from web.moments import epoch_milliseconds, epoch_seconds

STOP = (
    "after a sync with a `start`: why it went no further back: `reached` the start, `end` of the"
    " provider's history, `limit` of the account's plan, or `no_progress` (twice no older bars, and"
    " no reason); null: without a start, or not ended"
)
NEWEST_FETCHED = "with a `start`: open time of the newest closed bar fetched so far"
REACHED_BACK_TO = "with a `start`: open time of the oldest bar fetched so far"

UtcMoment = datetime  # of responses: a field named datetime hides the type


def in_any_case(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^{pattern.replace('A-Z', 'A-Za-z')}$", strict=True)


def _refuse_parent_folder(name: str) -> str:
    if ".." in name:
        raise ValueError("a ticker has no two dots in a row")
    return name


def _in_upper_case(name: str) -> str:
    """Return the name with its ticker, and the currency of its variant, in upper case."""
    ticker, mark, marks = name.partition(";")
    return ticker.upper() + (str(Variant.parse(marks)) if mark else "")


def _require_key_name(text: str) -> str:
    if not is_key_name(text):
        raise ValueError("a name is of visible characters, in one line")
    return text


def _require_past(moment: int) -> int:
    if moment < EARLIEST_START:
        raise ValueError("must not lie before 1900")
    if moment > time.time():
        raise ValueError("must not lie in the future")
    return moment


def _require_no_future(milliseconds: int) -> int:
    if milliseconds > 1000 * time.time():
        raise ValueError("must not lie in the future: what will be stored then is not known")
    return milliseconds


def _require_number(value: object) -> object:
    """Accept any JSON number, so that 5.0 means 5; refuse texts, true and false."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a whole number")
    return value


Exchange = Annotated[
    str,
    in_any_case(EXCHANGE_PATTERN),
    AfterValidator(str.upper),
    Field(description="the exchange, in any case", examples=["NASDAQ"]),
]
Ticker = Annotated[
    str,
    in_any_case(f"{TICKER_PATTERN}{VARIANT_PATTERN}"),
    AfterValidator(_refuse_parent_folder),
    AfterValidator(_in_upper_case),
    Field(
        description="the ticker at its exchange, in any case; of another variant with its marks:"
        " `AAPL;adjustment=dividends;session=extended`",
        examples=["AAPL"],
        json_schema_extra={"not": {"pattern": r"\.\."}},
    ),
]
Currency = Annotated[str, in_any_case(CURRENCY_PATTERN), AfterValidator(str.upper)]
BarCount = Annotated[int, Field(ge=1, le=MAX_BARS), BeforeValidator(_require_number)]
KeyName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NAME, strict=True),
    AfterValidator(_require_key_name),
]
LifeSeconds = Annotated[
    int,
    Field(ge=SHORTEST_LIFE_SECONDS, le=LONGEST_LIFE_SECONDS),
    BeforeValidator(_require_number),
]
_DATE_OR_TIME = WithJsonSchema(
    {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
)
Moment = Annotated[int, BeforeValidator(epoch_seconds), _DATE_OR_TIME]
AsOf = Annotated[
    int, BeforeValidator(epoch_milliseconds), AfterValidator(_require_no_future), _DATE_OR_TIME
]
PastMoment = Annotated[Moment, AfterValidator(_require_past)]
