"""The records of the quote board in Redis, as JSON.

quote:latest:{EXCHANGE}:{SYMBOL}             a quote, as the API returns it
bar:current:{EXCHANGE}:{SYMBOL}:1m           `Minutes`: open minutes and day, quote and state
bar:current:{EXCHANGE}:{SYMBOL}:{interval}   a `LiveBar` of closed minutes, if any
quote:symbols                                the symbols with a latest quote
streamer:status:{shard}                      a `StreamerStatus`
streamer:seen:{shard}                        the epoch second until which records have all ticks
streamer:shards                              the shards with a status
streamer:waiting:{shard}                     batch → list of closed `LiveBar`s not yet in MongoDB
pub/sub quotes:{EXCHANGE}:{SYMBOL}           each changed quote, as above
"""

from dataclasses import dataclass

import msgspec
import orjson

from pocketquant.domain.dates import to_date
from pocketquant.domain.gaps import Unseen
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.open_bars import LONGER, BarsState
from pocketquant.domain.quotes import Quote

QUOTE_SECONDS = 60
BAR_SECONDS = 300
STATUS_SECONDS = 15
WAITING_SECONDS = 7 * 24 * 3600

SYMBOLS = "quote:symbols"
SHARDS = "streamer:shards"
QUOTE_PREFIX = "quote:latest:"
BAR_PREFIX = "bar:current:"
CHANNEL_PREFIX = "quotes:"

_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z


@dataclass(frozen=True, slots=True)
class Minutes:
    """The open minutes and day of a symbol, its quote, and the state to continue its aggregation.

    `as_of` is the epoch second of the write.
    """

    delay_seconds: int
    unseen: Unseen
    closed_until: int
    minutes: tuple[LiveBar, ...]
    quote: Quote
    as_of: float
    day: LiveBar | None = None


@dataclass(frozen=True, slots=True)
class RefusedSymbol:
    """A subscribed symbol that the provider does not serve, with the error's code and message."""

    symbol: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class UnreadableSymbol:
    """The number of unreadable quotes of a symbol, and the fault of the last one."""

    symbol: str
    count: int
    fault: str


@dataclass(frozen=True, slots=True)
class StreamerStatus:
    """The status of a shard; times are epoch seconds.

    `version` is that of the subscriptions it follows. `connected_at` is None without a connection;
    `last_error` and `last_error_message` are code and message of the error that broke the last one.
    """

    shard: str
    host: str
    pid: int
    started_at: float
    as_of: float
    version: int = 0
    connected_at: float | None = None
    symbols: int = 0
    refused: tuple[RefusedSymbol, ...] = ()
    unreadable: tuple[UnreadableSymbol, ...] = ()
    unreadable_quotes: int = 0
    ticks: int = 0
    late_ticks: int = 0
    missed_ticks: int = 0
    out_of_session_ticks: int = 0
    reconnects: int = 0
    bars_stored: int = 0
    bars_waiting: int = 0
    bars_dropped: int = 0
    last_error: str | None = None
    last_error_message: str | None = None


encode = msgspec.json.encode
decode_minutes = msgspec.json.Decoder(Minutes).decode
decode_bar = msgspec.json.Decoder(LiveBar).decode
decode_bars = msgspec.json.Decoder(list[LiveBar]).decode
decode_status = msgspec.json.Decoder(StreamerStatus).decode


def encode_quote(quote: Quote) -> bytes:
    """The quote as the API returns it."""
    exchange, _, ticker = quote.symbol.partition(":")
    return orjson.dumps(
        {
            "symbol": ticker,
            "exchange": exchange,
            "timestamp": to_date(quote.time),
            "last_price": quote.last_price,
            "bid": quote.bid,
            "ask": quote.ask,
            "volume": quote.day_volume,
            "change": quote.change,
            "change_percent": quote.change_percent,
            "open_price": quote.open_price,
            "high_price": quote.high_price,
            "low_price": quote.low_price,
            "prev_close": quote.prev_close,
            "update_mode": quote.update_mode,
        },
        option=_OPTIONS,
    )


def encode_minutes(bars: BarsState, quote: Quote, as_of: float) -> bytes:
    """The record of the open minutes; bars and quote must be of the same moment."""
    return encode(
        Minutes(
            bars.delay_seconds,
            bars.unseen,
            bars.closed_until,
            bars.minutes,
            quote,
            as_of,
            bars.day,
        )
    )


def encode_longer(bars: BarsState) -> list[bytes]:
    """The record of each longer bar in the order of `LONGER`; empty if there is no such bar."""
    made = {bar.interval: encode(bar) for bar in bars.longer}
    return [made.get(interval, b"") for interval in LONGER]


def quote_key(symbol: str) -> str:
    return QUOTE_PREFIX + symbol


def bar_key(symbol: str, interval: Interval) -> str:
    return f"{BAR_PREFIX}{symbol}:{interval.value}"


def channel(symbol: str) -> str:
    return CHANNEL_PREFIX + symbol


def status_key(shard: str) -> str:
    return f"streamer:status:{shard}"


def seen_key(shard: str) -> str:
    return f"streamer:seen:{shard}"


def waiting_key(shard: str) -> str:
    return f"streamer:waiting:{shard}"
