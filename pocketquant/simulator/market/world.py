"""The symbols of the simulator and their properties."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from pocketquant.simulator.market import exchanges
from pocketquant.simulator.market.calendars import Calendar

_OUTSIDE_SHARE = 0.02  # the part of a day's volume before the opening, and again after the close
_DOLLARS = {"USD": 1.0, "USDT": 1.0, "EUR": 1.09, "GBP": 1.27, "INR": 0.0119, "JPY": 0.0067}
_BINARY_LOTS = 256  # a power of two, so that sums of volumes are exact as floats too
_FLEET_TICKER = re.compile(r"SIM:S(?!0000)\d{4}")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol: how it trades, and what the server sends about it.

    `day_volume` is the typical volume of a day in units; `volatility` the typical change of a day
    as a part of the price; `trading_share` the part of the hours, and of their minutes, with
    trades. Prices are computed in its own currency and sent multiplied by `rate`. Bars of extended
    hours consist of `parts`: before, in and after the regular session. `described` are the hours
    that the server sends, if it trades at other times. With the `adjustment` for `dividends`,
    older bars are multiplied by what a dividend leaves of the price.
    """

    name: str
    description: str
    first_price: float
    calendar: Calendar
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
    described: Calendar | None = None
    adjustment: str = "splits"

    @property
    def official(self) -> Calendar:
        """The hours that the server sends, and by which it dates weeks and months."""
        return self.described or self.calendar

    @property
    def has_adjustment(self) -> bool:
        return self.type == "stock"

    @property
    def exchange(self) -> str:
        return self.name.partition(":")[0]

    @property
    def ticker(self) -> str:
        return self.name.partition(":")[2]


def find(name: str) -> Instrument | None:
    """Return the symbol named `EXCHANGE:TICKER` in upper case; None if there is none.

    Besides the listed symbols, `SIM:S0001` to `SIM:S9999` are pairs that trade 24x7.
    """
    if _FLEET_TICKER.fullmatch(name):
        number = int(name[-4:])
        return _pair(name, f"Simulated pair {number}", 1.0 + number % 500)
    return _LISTED.get(name)


def resolve(
    name: str, session: str = "regular", currency: str = "", adjustment: str = "splits"
) -> Instrument | None:
    """Return the symbol with the client's choices; None if its prices can't be converted."""
    instrument = find(name)
    if instrument is None:
        return None
    if adjustment != instrument.adjustment and instrument.has_adjustment:
        instrument = replace(instrument, adjustment=adjustment)
    if currency and currency != instrument.currency:
        if not {currency, instrument.currency} <= _DOLLARS.keys():
            return None
        rate = _DOLLARS[instrument.currency] / _DOLLARS[currency]
        instrument = replace(instrument, currency=currency, rate=rate)
    if session == "extended" and instrument.has_extended_hours:
        before, after = pre_and_post_market(instrument)
        return replace(instrument, calendar=exchanges.EXTENDED, parts=(before, instrument, after))
    return instrument


@lru_cache(maxsize=256)
def pre_and_post_market(instrument: Instrument) -> tuple[Instrument, ...]:
    """Return the symbol as it trades before and after its session; empty if it does not."""
    if not instrument.has_extended_hours:
        return ()
    volume = instrument.day_volume * _OUTSIDE_SHARE
    return (
        replace(instrument, calendar=exchanges.PRE_MARKET, day_volume=volume),
        replace(instrument, calendar=exchanges.POST_MARKET, day_volume=volume),
    )


def listed() -> tuple[Instrument, ...]:
    """Return all symbols except the `SIM` ones."""
    return tuple(_LISTED.values())


def _pair(name: str, description: str, first_price: float, currency: str = "USDT") -> Instrument:
    return Instrument(
        name,
        description,
        first_price,
        exchanges.ALWAYS,
        type="spot",
        typespecs=("crypto",),
        currency=currency,
        country="",
        pricescale=100 if first_price > 100 else 100_000,
        lots_per_unit=_BINARY_LOTS,
        day_volume=max(3e9 / first_price, 1000.0) / 100,
        volatility=0.025,
    )


_stock = partial(Instrument, calendar=exchanges.NEW_YORK, has_extended_hours=True)
_otc_stock = partial(Instrument, described=exchanges.NEW_YORK)
_indian_stock = partial(
    Instrument,
    calendar=exchanges.MUMBAI,
    currency="INR",
    country="IN",
    day_volume=6e6,
    delay_seconds=900,
)
_currency = partial(
    Instrument,
    calendar=exchanges.CURRENCIES,
    type="forex",
    typespecs=(),
    country="",
    day_volume=150e3,
    volatility=0.005,
)
_future = partial(
    Instrument,
    calendar=exchanges.FUTURES,
    type="futures",
    typespecs=("continuous", "synthetic"),
    day_volume=400e3,
    volatility=0.012,
)
_index = partial(
    Instrument,
    calendar=exchanges.NEW_YORK,
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
        _stock("AMEX:SPY", "SPDR S&P 500 ETF Trust", 550.0, type="fund", typespecs=("etf",)),
        _stock(
            "OTC:QUIET",
            "Quiet Mining Corporation",
            12.0,
            day_volume=40e3,
            trading_share=0.2,
            has_extended_hours=False,
        ),
        _otc_stock(
            "OTC:SELDOM",
            "A stock without any trade on Tuesdays and Thursdays",
            24.0,
            calendar=exchanges.THREE_DAYS_A_WEEK,
        ),
        _otc_stock(
            "OTC:LATE",
            "A stock that trades later than the server says",
            36.0,
            calendar=exchanges.LATE,
        ),
        _stock("NYSE:UNBORN", "A listing that never traded", 10.0, has_traded=False),
        _indian_stock("NSE:RELIANCE", "Reliance Industries Limited", 2_900.0),
        _indian_stock("NSE:TCS", "Tata Consultancy Services Limited", 4_000.0),
        _indian_stock("NSE:INFY", "Infosys Limited", 1_600.0),
        _indian_stock("NSE:HDFCBANK", "HDFC Bank Limited", 1_500.0),
        _indian_stock("NSE:SBIN", "State Bank of India", 800.0),
        Instrument(
            "HKEX:700",
            "Tencent Holdings Ltd.",
            400.0,
            exchanges.HONG_KONG,
            currency="HKD",
            country="HK",
        ),
        _currency("OANDA:EURUSD", "Euro / U.S. dollar", 1.09, currency="USD", pricescale=100_000),
        _currency(
            "OANDA:GBPUSD", "British pound / U.S. dollar", 1.27, currency="USD", pricescale=100_000
        ),
        _currency(
            "OANDA:USDJPY", "U.S. dollar / Japanese yen", 150.0, currency="JPY", pricescale=1_000
        ),
        _future("CME_MINI:ES1!", "S&P 500 E-mini futures", 5_500.0),
        _future("NYMEX:CL1!", "Light crude oil futures", 78.0),
        _future("COMEX:GC1!", "Gold futures", 2_400.0),
        _future("ICEEUR:BRN1!", "Brent crude oil futures", 80.0, calendar=exchanges.BRENT),
        _future("CME:BTC1!", "Bitcoin futures", 60_000.0, calendar=exchanges.ALWAYS_IN_CHICAGO),
        _index("TVC:RUT", "RUSSELL 2000", 2_100.0),
        _index("TVC:DXY", "U.S. dollar index", 104.0, calendar=exchanges.DOLLAR_INDEX),
        _index("TVC:VIX", "CBOE volatility index", 18.0),
        _index(
            "SP:SPX",
            "S&P 500",
            4_500.0,
            calendar=exchanges.SPX,
            has_volume=True,
            is_daily_only=True,
        ),
        _index(
            "ECONOMICS:USM2",
            "United States money supply M2",
            21_000.0,
            type="economic",
            typespecs=(),
            permission_group="economics_paid",
        ),
    )
}
