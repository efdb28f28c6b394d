"""Requests and responses about live quotes."""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from pocketquant.cache.board import CurrentBar
from pocketquant.cache.board_records import RefusedSymbol, StreamerStatus, UnreadableSymbol
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import InvalidSymbol
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Symbol
from web.schemas.requests import RequestModel, SeriesFields
from web.schemas.syncs import MOST_BULK_SYMBOLS, BulkSymbol
from web.times import TimeFormat

MOST_STREAMED_SYMBOLS = 500


def _names(text: object) -> list[str]:
    """`A:B,C:D` → the names of the symbols, without duplicates."""
    if not isinstance(text, str):
        raise ValueError("must be one text, its symbols separated by commas")
    parts = text.split(",")
    if len(parts) > MOST_STREAMED_SYMBOLS:
        raise ValueError(f"at most {MOST_STREAMED_SYMBOLS} symbols")
    return list(dict.fromkeys(map(_name, parts)))


def _name(part: str) -> str:
    try:
        symbol = Symbol.parse(part.strip())
    except InvalidSymbol as error:
        raise ValueError(str(error)) from error
    if symbol != symbol.listing:
        raise ValueError(f"{symbol}: live quotes are of default variants only")
    return str(symbol)


SymbolNames = Annotated[list[str], BeforeValidator(_names), WithJsonSchema({"type": "string"})]


class SymbolsIn(RequestModel):
    """Symbols to subscribe or unsubscribe."""

    symbols: list[BulkSymbol] = Field(
        min_length=1,
        max_length=MOST_BULK_SYMBOLS,
        description="the symbols; duplicates are ignored",
        examples=[[{"symbol": "AAPL", "exchange": "NASDAQ"}]],
    )

    def to_symbols(self) -> list[Symbol]:
        return [Symbol.of(each.exchange, each.symbol) for each in self.symbols]


class CurrentBarQuery(SeriesFields):
    interval: Interval = Field(Interval.M1, description="bar length; case matters")


class StreamQuery(RequestModel):
    symbols: SymbolNames = Field(
        description=f"symbols to stream, at most {MOST_STREAMED_SYMBOLS}, separated by commas",
        examples=["NASDAQ:AAPL,BINANCE:BTCUSDT"],
    )


class WatchOut(BaseModel):
    """The subscriptions after this call; streamers follow within a second or two."""

    streaming: bool = Field(description="false: nothing is streamed until `POST /quotes/start`")
    subscribed: int = Field(description="number of subscribed symbols", examples=[12])
    changed: int = Field(description="symbols that this call added or removed", examples=[2])


class QuoteOut(BaseModel):
    """The latest quote of a symbol; null for values that the provider does not send."""

    symbol: str
    exchange: str
    timestamp: datetime | None = Field(description="when the last price was traded")
    last_price: float | None = Field(examples=[184.4])
    bid: float | None = Field(examples=[184.39])
    ask: float | None = Field(examples=[184.41])
    volume: float | None = Field(description="volume of the day so far", examples=[55467803.0])
    change: float | None = Field(description="change since the previous close", examples=[-3.64])
    change_percent: float | None = Field(examples=[-1.94])
    open_price: float | None = Field(description="first price of the day", examples=[187.04])
    high_price: float | None = Field(examples=[187.1])
    low_price: float | None = Field(examples=[184.35])
    prev_close: float | None = Field(examples=[188.04])
    update_mode: str | None = Field(
        description="`streaming`, or how delayed the quotes are", examples=["streaming"]
    )


class CurrentBarOut(BaseModel):
    """The bar that is being built from quotes."""

    symbol: str
    exchange: str
    interval: Interval
    bar_start: datetime
    bar_end: datetime
    open: float = Field(examples=[184.5])
    high: float = Field(examples=[184.6])
    low: float = Field(examples=[184.35])
    close: float = Field(examples=[184.4])
    volume: float | None = Field(examples=[120300.0])
    tick_count: int = Field(
        description="trades seen in this bar; 1 for a day and longer, whose trades are not counted",
        examples=[74],
    )
    partial: bool
    as_of: datetime = Field(description="when it last changed")
    trading_day: date | None = Field(
        description="the date that a bar of a day or longer belongs to; null: the bar is shorter,"
        " or no calendar of the symbol is known",
        examples=["2024-01-31"],
    )

    @classmethod
    def of(cls, current: CurrentBar, calendar: Calendar | None) -> Self:
        bar = current.bar
        times = TimeFormat(None, not bar.interval.is_intraday, calendar)
        exchange, _, ticker = bar.symbol.partition(":")
        return cls(
            symbol=ticker,
            exchange=exchange,
            interval=bar.interval,
            bar_start=to_date(bar.start),
            bar_end=to_date(bar.end),
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
            tick_count=bar.tick_count,
            partial=bar.is_partial,
            as_of=to_date(current.as_of),
            trading_day=times.trading_day(bar.start),
        )


class StreamerOut(BaseModel):
    """Status that a streamer published at most 15 s ago; it counts from its start."""

    shard: str
    host: str = Field(examples=["quotes-1"])
    pid: int
    started_at: datetime
    as_of: datetime = Field(description="when it published this status")
    connected_at: datetime | None = Field(
        description="when it connected to the provider; null: it is not connected"
    )
    symbols: int = Field(description="number of symbols it streams", examples=[12])
    ticks: int
    late_ticks: int = Field(description="trades that arrived after their bar was closed")
    missed_ticks: int = Field(description="trades that happened while it was not connected")
    out_of_session_ticks: int = Field(
        description="trades outside the market's hours by its calendar; no bar contains them"
    )
    unreadable_quotes: int = Field(
        description="dropped quotes that could not be read; see `unreadable`"
    )
    reconnects: int
    bars_stored: int
    bars_waiting: int = Field(description="closed bars that are not stored yet", examples=[0])
    bars_dropped: int = Field(description="closed bars lost because too many were waiting")
    last_error: str | None = Field(
        description="code of the error that ended the last connection", examples=[None]
    )
    last_error_message: str | None = Field(
        description="message of that error, and what to do about it", examples=[None]
    )

    @classmethod
    def of(cls, status: StreamerStatus) -> Self:
        return cls.model_validate(status, from_attributes=True)


class RefusedOut(BaseModel):
    """A subscribed symbol that cannot be streamed, and why."""

    symbol: str = Field(examples=["NOSUCH"])
    exchange: str
    error: str = Field(description="stable name of the error", examples=["unknown_symbol"])
    message: str = Field(examples=["NASDAQ:NOSUCH is unknown to the provider"])

    @classmethod
    def of(cls, refused: RefusedSymbol) -> Self:
        exchange, _, ticker = refused.symbol.partition(":")
        return cls(symbol=ticker, exchange=exchange, error=refused.code, message=refused.message)


class UnreadableOut(BaseModel):
    """A symbol with unreadable quotes; after ten in an hour the symbol is refused."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str
    quotes: int = Field(description="how many quotes were dropped", examples=[3])
    message: str = Field(
        description="what was wrong with the last of them, and where in the message",
        examples=["Expected `float | null`, got `str` - at `$[1].v.volume`"],
    )

    @classmethod
    def of(cls, unreadable: UnreadableSymbol) -> Self:
        exchange, _, ticker = unreadable.symbol.partition(":")
        return cls(
            symbol=ticker, exchange=exchange, quotes=unreadable.count, message=unreadable.fault
        )


class QuotesStatusOut(BaseModel):
    """The subscriptions, and how far the streamers serve them."""

    streaming: bool = Field(description="false: streaming is stopped")
    subscribed: int = Field(description="number of subscribed symbols", examples=[12])
    watched: int = Field(description="number of symbols that are streamed", examples=[11])
    streamers: list[StreamerOut]
    refused: list[RefusedOut]
    unreadable: list[UnreadableOut]

    @classmethod
    def of(cls, is_on: bool, subscribed: int, statuses: list[StreamerStatus]) -> Self:
        return cls(
            streaming=is_on,
            subscribed=subscribed,
            watched=sum(status.symbols for status in statuses),
            streamers=[StreamerOut.of(status) for status in statuses],
            refused=[RefusedOut.of(each) for status in statuses for each in status.refused],
            unreadable=[
                UnreadableOut.of(each) for status in statuses for each in status.unreadable
            ],
        )
