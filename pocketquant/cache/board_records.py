"""What the quote board keeps of a symbol, as JSON.

quote:latest:{EXCHANGE}:{SYMBOL}             a quote, as the API answers it
bar:current:{EXCHANGE}:{SYMBOL}:1m           `Minutes`: the open minutes, and all else
bar:current:{EXCHANGE}:{SYMBOL}:{interval}   a `LiveBar`: what closed minutes made, if any
quote:symbols                                the symbols with a latest quote
streamer:status:{shard}                      a `StreamerStatus`
streamer:seen:{shard}                        until when the shard's records hold all ticks
streamer:shards                              the shards with a status
streamer:waiting:{shard}                     batch → list of `LiveBar`: closed, not stored yet
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
    """The open minutes of a symbol, with what else its aggregation and quote need to go on.

    `as_of` is when it was written, epoch seconds.
    """

    delay_seconds: int
    unseen: Unseen
    closed_until: int
    minutes: tuple[LiveBar, ...]
    quote: Quote
    as_of: float


@dataclass(frozen=True, slots=True)
class RefusedSymbol:
    """Why a symbol is not watched although it is subscribed: an error's code and message."""

    symbol: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class UnreadableSymbol:
    """How many quotes of a symbol could not be read, and what was wrong with the last one."""

    symbol: str
    count: int
    fault: str


@dataclass(frozen=True, slots=True)
class StreamerStatus:
    """What a streamer tells of its shard; times in epoch seconds.

    `version` is that of the wish which it makes true. `connected_at` is None while there is no
    connection, `last_error` the code of what broke the last one, and
    `last_error_message` says what to do.
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
    """The quote as the API answers it."""
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
    """The record of the open minutes; the quote is as of the same moment."""
    return encode(
        Minutes(bars.delay_seconds, bars.unseen, bars.closed_until, bars.minutes, quote, as_of)
    )


def encode_longer(bars: BarsState) -> list[bytes]:
    """What closed minutes made of each longer interval, in the order of `LONGER`; or nothing."""
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
