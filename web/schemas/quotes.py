"""What the API takes and gives of live quotes."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from pocketquant.cache.board import CurrentBar
from pocketquant.cache.board_records import RefusedSymbol, StreamerStatus, UnreadableSymbol
from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import InvalidSymbol
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Symbol
from web.schemas.given import Given
from web.schemas.syncs import MOST_BULK_SYMBOLS, BulkSymbol

MOST_STREAMED_SYMBOLS = 500


def _names(text: object) -> list[str]:
    """`A:B,C:D` → the symbols' names, each once."""
    if not isinstance(text, str):
        raise ValueError("must be one text, its symbols separated by commas")
    parts = text.split(",")
    if len(parts) > MOST_STREAMED_SYMBOLS:
        raise ValueError(f"at most {MOST_STREAMED_SYMBOLS} symbols")
    return list(dict.fromkeys(map(_name, parts)))


def _name(part: str) -> str:
    try:
        return str(Symbol.parse(part.strip()))
    except InvalidSymbol as error:
        raise ValueError(str(error)) from error


SymbolNames = Annotated[list[str], BeforeValidator(_names), WithJsonSchema({"type": "string"})]


class SymbolsIn(Given):
    """Symbols to watch, or no more."""

    symbols: list[BulkSymbol] = Field(
        min_length=1,
        max_length=MOST_BULK_SYMBOLS,
        description="one that is named twice counts once",
        examples=[[{"symbol": "AAPL", "exchange": "NASDAQ"}]],
    )

    def wanted(self) -> list[Symbol]:
        return [Symbol(each.exchange, each.symbol) for each in self.symbols]


class CurrentBarQuery(Given):
    interval: Interval = Field(Interval.M1, description="bar length; case matters")


class StreamQuery(Given):
    symbols: SymbolNames = Field(
        description=f"at most {MOST_STREAMED_SYMBOLS}, separated by commas",
        examples=["NASDAQ:AAPL,BINANCE:BTCUSDT"],
    )


class WatchOut(BaseModel):
    """What is to be watched from now on; the streamers make it true within a second or two."""

    streaming: bool = Field(description="false: nothing, until it is started", examples=[True])
    subscribed: int = Field(description="symbols in all", examples=[12])
    changed: int = Field(description="symbols of this call that were not so before", examples=[2])


class QuoteOut(BaseModel):
    """The latest of a symbol; null for what the provider does not tell."""

    symbol: str
    exchange: str
    timestamp: datetime | None = Field(
        description="of the last price", examples=["2024-01-31T18:00:00Z"]
    )
    last_price: float | None = Field(examples=[184.4])
    bid: float | None = Field(examples=[184.39])
    ask: float | None = Field(examples=[184.41])
    volume: float | None = Field(description="of the day so far", examples=[55467803.0])
    change: float | None = Field(description="since yesterday's close", examples=[-3.64])
    change_percent: float | None = Field(examples=[-1.94])
    open_price: float | None = Field(description="of the day, as are the next", examples=[187.04])
    high_price: float | None = Field(examples=[187.1])
    low_price: float | None = Field(examples=[184.35])
    prev_close: float | None = Field(examples=[188.04])
    update_mode: str | None = Field(
        description="`streaming`, or how late it is", examples=["streaming"]
    )


class CurrentBarOut(BaseModel):
    """The bar that is being built from quotes."""

    symbol: str
    exchange: str
    interval: Interval
    bar_start: datetime = Field(examples=["2024-01-31T18:00:00Z"])
    bar_end: datetime = Field(examples=["2024-01-31T18:01:00Z"])
    open: float = Field(examples=[184.5])
    high: float = Field(examples=[184.6])
    low: float = Field(examples=[184.35])
    close: float = Field(examples=[184.4])
    volume: float | None = Field(description="null where there is none", examples=[120300.0])
    tick_count: int = Field(description="trades that were seen", examples=[74])
    partial: bool = Field(description="not all of it was seen", examples=[False])
    as_of: datetime = Field(description="of its last change", examples=["2024-01-31T18:00:41Z"])

    @classmethod
    def of(cls, current: CurrentBar) -> Self:
        bar = current.bar
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
        )


class StreamerOut(BaseModel):
    """One streamer, as it last told of itself, at most 15 s ago; counts are since its start."""

    shard: str
    host: str = Field(examples=["quotes-1"])
    pid: int
    started_at: datetime = Field(examples=["2024-01-31T14:00:00Z"])
    as_of: datetime = Field(description="when it told this", examples=["2024-01-31T18:00:41Z"])
    connected_at: datetime | None = Field(
        description="null: there is no connection to the provider",
        examples=["2024-01-31T14:00:01Z"],
    )
    symbols: int = Field(description="watched", examples=[12])
    ticks: int = Field(examples=[1234567])
    late_ticks: int = Field(description="came after their bar was closed", examples=[0])
    missed_ticks: int = Field(description="were traded while nothing was seen", examples=[0])
    unreadable_quotes: int = Field(description="dropped; see `unreadable`", examples=[0])
    reconnects: int
    bars_stored: int = Field(examples=[2880])
    bars_waiting: int = Field(description="closed, not stored yet", examples=[0])
    bars_dropped: int = Field(description="lost, since too many waited", examples=[0])
    last_error: str | None = Field(description="what broke the last connection", examples=[None])
    last_error_message: str | None = Field(
        description="the same in words, and what to do where something can be done",
        examples=[None],
    )

    @classmethod
    def of(cls, status: StreamerStatus) -> Self:
        connected_at = status.connected_at
        return cls(
            shard=status.shard,
            host=status.host,
            pid=status.pid,
            started_at=to_date(status.started_at),
            as_of=to_date(status.as_of),
            connected_at=to_date(connected_at),
            symbols=status.symbols,
            ticks=status.ticks,
            late_ticks=status.late_ticks,
            missed_ticks=status.missed_ticks,
            unreadable_quotes=status.unreadable_quotes,
            reconnects=status.reconnects,
            bars_stored=status.bars_stored,
            bars_waiting=status.bars_waiting,
            bars_dropped=status.bars_dropped,
            last_error=status.last_error,
            last_error_message=status.last_error_message,
        )


class RefusedOut(BaseModel):
    """A symbol that is subscribed and cannot be watched."""

    symbol: str = Field(examples=["NOSUCH"])
    exchange: str
    error: str = Field(description="stable name of the error", examples=["unknown_symbol"])
    message: str = Field(examples=["NASDAQ:NOSUCH is unknown to the provider"])

    @classmethod
    def of(cls, refused: RefusedSymbol) -> Self:
        exchange, _, ticker = refused.symbol.partition(":")
        return cls(symbol=ticker, exchange=exchange, error=refused.code, message=refused.message)


class UnreadableOut(BaseModel):
    """A symbol of which quotes came that could not be read; after ten in an hour it is refused."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str
    quotes: int = Field(description="how many were dropped", examples=[3])
    message: str = Field(
        description="what was wrong with the last one, and where",
        examples=["Expected `float | null`, got `str` - at `$[1].v.volume`"],
    )

    @classmethod
    def of(cls, unreadable: UnreadableSymbol) -> Self:
        exchange, _, ticker = unreadable.symbol.partition(":")
        return cls(
            symbol=ticker, exchange=exchange, quotes=unreadable.count, message=unreadable.fault
        )


class QuotesStatusOut(BaseModel):
    """The wish, and how far it is true."""

    streaming: bool = Field(description="false: it is stopped", examples=[True])
    subscribed: int = Field(description="symbols to be watched", examples=[12])
    watched: int = Field(description="symbols that are", examples=[11])
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
