"""Symbols and series: what is accepted, and how it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.errors import InvalidInterval, InvalidSymbol
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series, Symbol

symbols = st.builds(
    Symbol,
    st.from_regex(r"[A-Z0-9_]{1,32}", fullmatch=True),
    st.from_regex(r"[A-Z0-9._!&/\-]{1,64}", fullmatch=True),
)


@given(symbols)
def test_a_symbol_reads_back(symbol: Symbol) -> None:
    """The text of a symbol, in any case, is read as the same symbol."""
    assert symbol == Symbol.parse(str(symbol))
    assert symbol == Symbol.parse(str(symbol).lower())


@given(symbols, st.sampled_from(Interval))
def test_a_series_reads_back_from_its_key(symbol: Symbol, interval: Interval) -> None:
    """The key of a series is read as the same series."""
    series = Series(symbol, interval)
    assert series == Series.parse(str(series))


@pytest.mark.parametrize(
    "text",
    [
        "AAPL",
        "",
        ":",
        "NASDAQ:",
        ":AAPL",
        "NASDAQ:AAPL:X",
        "NASDAQ:AA PL",
        "NASDAQ:AAPL\n",
        "NASDAQ:A\0",
        "NASDAQ:$where",
        "NAS.DAQ:AAPL",
        "../X:AAPL",
        "NASDAQ:AAPL|1m",
        "\u017fP:SPX",  # a letter that is S in upper case
        "N" * 33 + ":A",
        "N:" + "A" * 65,
        "N:" + "A" * 10_000,
    ],
)
def test_other_text_is_no_symbol(text: str) -> None:
    """Whatever is not EXCHANGE:TICKER is refused, with a message of bounded length."""
    with pytest.raises(InvalidSymbol) as refusal:
        Symbol.parse(text)
    assert len(str(refusal.value)) < 500


def test_lower_case_is_refused_inside() -> None:
    """Only `parse` forgives the case: two spellings must not become two symbols."""
    with pytest.raises(InvalidSymbol):
        Symbol("NASDAQ", "aapl")


def test_a_key_with_an_unknown_interval_is_refused() -> None:
    """A key names one of the 13 intervals."""
    with pytest.raises(InvalidInterval):
        Series.parse("NASDAQ:AAPL|2m")


def test_a_listing_needs_only_a_symbol() -> None:
    """It has a volume until the provider says otherwise."""
    symbol = Symbol.parse("SP:SPX")
    assert Listing(symbol, "", "", "", "", "", True) == Listing(symbol)


def test_symbols_are_in_order_of_exchange_and_ticker() -> None:
    """The exchange counts first."""
    names = ["NYSE:A", "AMEX:Z", "NYSE:AA"]
    assert ["AMEX:Z", "NYSE:A", "NYSE:AA"] == [
        str(each) for each in sorted(map(Symbol.parse, names))
    ]
