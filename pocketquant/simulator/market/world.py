"""The world of the simulator: which symbols there are, and what each is like."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from pocketquant.simulator.market.calendars import Calendar

ALWAYS = Calendar("Etc/UTC", "24x7")
NEW_YORK = Calendar("America/New_York", "0930-1600", ((1, 1), (6, 19), (7, 4), (12, 25)))
PRE_MARKET = replace(NEW_YORK, session="0400-0930")
POST_MARKET = replace(NEW_YORK, session="1600-2000")
EXTENDED = replace(NEW_YORK, session="0400-2000")
MUMBAI = Calendar("Asia/Kolkata", "0915-1530", ((1, 26), (8, 15), (10, 2), (12, 25)))
CURRENCIES = Calendar("America/New_York", "1700-1700", ((1, 1), (12, 25)))
FUTURES = Calendar("America/New_York", "1800-1700", ((1, 1), (12, 25)))

_OUTSIDE_SHARE = 0.02  # of a day's volume, before the opening and again after the close
_DOLLARS = {"USD": 1.0, "USDT": 1.0, "EUR": 1.09, "GBP": 1.27, "INR": 0.0119, "JPY": 0.0067}
_BINARY_LOTS = 256  # a power of two, so that sums of volumes are exact as floats too
_FLEET_TICKER = re.compile(r"SIM:S(?!0000)\d{4}")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol: how it trades, and what the server says of it.

    `day_volume` is its usual volume of a day, in units; `volatility` the usual change of a day as
    a part of the price; `trading_share` the part of the hours, and of their minutes, with trade.
    Prices are counted in its own currency, and told multiplied by `rate`. `parts` are those that
    bars of extended hours are made of: before, in and after the regular session.
    """

    name: str
    description: str
    calendar: Calendar
    first_price: float
    type: str = "stock"
    typespecs: tuple[str, ...] = ("common",)
    currency: str = "USD"
    country: str = "US"
    pricescale: int = 100
    lots_per_unit: int = 1
    day_volume: float = 20e6
    volatility: float = 0.015
    trading_share: float = 1.0
    has_volume: bool = True
    has_traded: bool = True
    is_daily_only: bool = False
    delay_seconds: int = 0
    permission_group: str = ""
    has_extended_hours: bool = False
    rate: float = 1.0
    parts: tuple["Instrument", ...] = ()

    @property
    def exchange(self) -> str:
        return self.name.partition(":")[0]

    @property
    def ticker(self) -> str:
        return self.name.partition(":")[2]


def find(name: str) -> Instrument | None:
    """The symbol of this name, `EXCHANGE:TICKER` in upper case; None where there is none.

    Besides the listed ones, each of `SIM:S0001` to `SIM:S9999` is a 24x7 pair.
    """
    if _FLEET_TICKER.fullmatch(name):
        number = int(name[-4:])
        return _pair(name, f"Simulated pair {number}", 1.0 + number % 500)
    return _LISTED.get(name)


def wanted(name: str, session: str = "regular", currency: str = "") -> Instrument | None:
    """The symbol as a client wants it: with its extended hours, in a currency of the client's."""
    instrument = find(name)
    if instrument is None:
        return None
    if currency and currency != instrument.currency:
        if not {currency, instrument.currency} <= _DOLLARS.keys():
            return None
        rate = _DOLLARS[instrument.currency] / _DOLLARS[currency]
        instrument = replace(instrument, currency=currency, rate=rate)
    if session == "extended" and instrument.has_extended_hours:
        before, after = outside(instrument)
        return replace(instrument, calendar=EXTENDED, parts=(before, instrument, after))
    return instrument


@lru_cache(maxsize=256)
def outside(instrument: Instrument) -> tuple[Instrument, ...]:
    """What is traded of it before the opening and after the close, where anything is."""
    if not instrument.has_extended_hours:
        return ()
    volume = instrument.day_volume * _OUTSIDE_SHARE
    return (
        replace(instrument, calendar=PRE_MARKET, day_volume=volume),
        replace(instrument, calendar=POST_MARKET, day_volume=volume),
    )


def listed() -> tuple[Instrument, ...]:
    """All symbols but the `SIM` ones."""
    return tuple(_LISTED.values())


def _pair(name: str, description: str, first_price: float, currency: str = "USDT") -> Instrument:
    return Instrument(
        name,
        description,
        ALWAYS,
        first_price,
        type="spot",
        typespecs=("crypto",),
        currency=currency,
        country="",
        pricescale=100 if first_price > 100 else 100_000,
        lots_per_unit=_BINARY_LOTS,
        day_volume=max(3e9 / first_price, 1000.0) / 100,
        volatility=0.025,
    )


def _stock(name: str, description: str, first_price: float) -> Instrument:
    return Instrument(name, description, NEW_YORK, first_price, has_extended_hours=True)


def _indian(ticker: str, description: str, first_price: float) -> Instrument:
    return Instrument(
        f"NSE:{ticker}",
        description,
        MUMBAI,
        first_price,
        currency="INR",
        country="IN",
        day_volume=6e6,
        delay_seconds=900,
    )


def _currencies(ticker: str, description: str, first_price: float, pricescale: int) -> Instrument:
    return Instrument(
        f"OANDA:{ticker}",
        description,
        CURRENCIES,
        first_price,
        type="forex",
        typespecs=(),
        currency=ticker[3:],
        country="",
        pricescale=pricescale,
        day_volume=150e3,
        volatility=0.005,
    )


def _future(name: str, description: str, first_price: float) -> Instrument:
    return Instrument(
        name,
        description,
        FUTURES,
        first_price,
        type="futures",
        typespecs=("continuous", "synthetic"),
        day_volume=400e3,
        volatility=0.012,
    )


def _index(name: str, description: str, first_price: float) -> Instrument:
    return Instrument(
        name,
        description,
        NEW_YORK,
        first_price,
        type="index",
        typespecs=("main", "cfd"),
        volatility=0.01,
        has_volume=False,
    )


_LISTED = {
    instrument.name: instrument
    for instrument in (
        _pair("BINANCE:BTCUSDT", "Bitcoin / TetherUS", 60_000.0),
        _pair("BINANCE:ETHUSDT", "Ethereum / TetherUS", 2_500.0),
        _pair("BINANCE:SOLUSDT", "Solana / TetherUS", 150.0),
        _pair("BINANCE:BNBUSDT", "BNB / TetherUS", 600.0),
        _pair("BINANCE:XRPUSDT", "XRP / TetherUS", 0.6),
        _pair("BINANCE:ADAUSDT", "Cardano / TetherUS", 0.45),
        _pair("BINANCE:DOGEUSDT", "Dogecoin / TetherUS", 0.12),
        _pair("BINANCE:AVAXUSDT", "Avalanche / TetherUS", 27.0),
        _pair("BINANCE:LINKUSDT", "ChainLink / TetherUS", 12.0),
        _pair("BINANCE:LTCUSDT", "Litecoin / TetherUS", 70.0),
        _pair("BINANCE:DOTUSDT", "Polkadot / TetherUS", 5.0),
        _pair("BITSTAMP:BTCUSD", "Bitcoin / U.S. dollar", 60_000.0, "USD"),
        _pair("COINBASE:BTCUSD", "Bitcoin / U.S. dollar", 60_000.0, "USD"),
        _pair("COINBASE:ETHUSD", "Ethereum / U.S. dollar", 2_500.0, "USD"),
        _pair("KRAKEN:XBTEUR", "Bitcoin / Euro", 55_000.0, "EUR"),
        _stock("NASDAQ:AAPL", "Apple Inc.", 180.0),
        _stock("NASDAQ:MSFT", "Microsoft Corporation", 400.0),
        _stock("NASDAQ:NVDA", "NVIDIA Corporation", 120.0),
        _stock("NASDAQ:AMZN", "Amazon.com, Inc.", 180.0),
        _stock("NASDAQ:GOOGL", "Alphabet Inc.", 165.0),
        _stock("NASDAQ:META", "Meta Platforms, Inc.", 500.0),
        _stock("NASDAQ:TSLA", "Tesla, Inc.", 220.0),
        _stock("NASDAQ:NFLX", "Netflix, Inc.", 650.0),
        _stock("NASDAQ:AMD", "Advanced Micro Devices, Inc.", 150.0),
        _stock("NASDAQ:INTC", "Intel Corporation", 30.0),
        _stock("NYSE:JPM", "JP Morgan Chase & Co.", 200.0),
        _stock("NYSE:KO", "Coca-Cola Company (The)", 65.0),
        _stock("NYSE:IBM", "International Business Machines Corporation", 190.0),
        _stock("NYSE:DIS", "Walt Disney Company (The)", 100.0),
        _stock("NYSE:BAC", "Bank of America Corporation", 40.0),
        _stock("NYSE:XOM", "Exxon Mobil Corporation", 115.0),
        _stock("NYSE:WMT", "Walmart Inc.", 70.0),
        _stock("NYSE:BRK.B", "Berkshire Hathaway Inc.", 430.0),
        replace(
            _stock("AMEX:SPY", "SPDR S&P 500 ETF Trust", 550.0), type="fund", typespecs=("etf",)
        ),
        replace(
            _stock("OTC:QUIET", "Quiet Mining Corporation", 12.0),
            day_volume=40e3,
            trading_share=0.2,
            has_extended_hours=False,
        ),
        replace(_stock("NYSE:UNBORN", "A listing that never traded", 10.0), has_traded=False),
        _indian("RELIANCE", "Reliance Industries Limited", 2_900.0),
        _indian("TCS", "Tata Consultancy Services Limited", 4_000.0),
        _indian("INFY", "Infosys Limited", 1_600.0),
        _indian("HDFCBANK", "HDFC Bank Limited", 1_500.0),
        _indian("SBIN", "State Bank of India", 800.0),
        _currencies("EURUSD", "Euro / U.S. dollar", 1.09, 100_000),
        _currencies("GBPUSD", "British pound / U.S. dollar", 1.27, 100_000),
        _currencies("USDJPY", "U.S. dollar / Japanese yen", 150.0, 1_000),
        _future("CME_MINI:ES1!", "S&P 500 E-mini futures", 5_500.0),
        _future("NYMEX:CL1!", "Light crude oil futures", 78.0),
        _future("COMEX:GC1!", "Gold futures", 2_400.0),
        _index("TVC:RUT", "RUSSELL 2000", 2_100.0),
        _index("TVC:VIX", "CBOE volatility index", 18.0),
        replace(
            _index("SP:SPX", "S&P 500", 4_500.0),
            calendar=replace(NEW_YORK, session="0930-1610"),
            has_volume=True,
            is_daily_only=True,
        ),
        replace(
            _index("ECONOMICS:USM2", "United States money supply M2", 21_000.0),
            type="economic",
            typespecs=(),
            permission_group="economics_paid",
        ),
    )
}
