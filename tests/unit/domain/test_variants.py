"""Variants of a symbol: their texts, in the order of their marks, and what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.errors import InvalidRequest, InvalidSymbol
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.variants import (
    DEFAULT,
    VARIANT_PATTERN,
    Adjustment,
    TradingHours,
    Variant,
)

variants = st.builds(
    Variant,
    st.sampled_from(Adjustment),
    st.sampled_from(TradingHours),
    st.one_of(st.just(""), st.from_regex(r"[A-Z0-9]{2,16}", fullmatch=True)),
    st.booleans(),
    st.sampled_from([None, True, False]),
)


def test_the_default_variant_has_no_mark() -> None:
    """The key of a default series is that of releases without variants."""
    assert str(Series.parse("NASDAQ:AAPL;session=regular;adjustment=splits|1m")) == "NASDAQ:AAPL|1m"


@given(variants)
def test_a_variant_reads_back(variant: Variant) -> None:
    """The text of a symbol in a variant, in any case, is read as the same symbol."""
    symbol = Symbol("NASDAQ", "AAPL", variant)
    assert symbol == Symbol.parse(str(symbol))
    assert symbol == Symbol.parse(str(symbol).lower())
    assert symbol == Symbol.of("NASDAQ", symbol.name)
    assert Symbol("NASDAQ", "AAPL") == symbol.listing


@given(variants)
def test_the_pattern_describes_each_text(variant: Variant) -> None:
    """The pattern of texts matches that of every variant."""
    assert re.fullmatch(VARIANT_PATTERN, str(variant))


def test_marks_are_read_in_any_order() -> None:
    """The text has its marks in one order, whatever the order they were given in."""
    given_text = "nasdaq:aapl; Currency=eur ;session=EXTENDED;adjustment=dividends"
    expected = "NASDAQ:AAPL;adjustment=dividends;session=extended;currency=EUR"
    assert expected == str(Symbol.parse(given_text))


@given(variants, variants)
def test_variants_have_an_order(first: Variant, second: Variant) -> None:
    """Symbols of one ticker are sorted by the texts of their variants."""
    symbols = [Symbol("NASDAQ", "AAPL", each) for each in (first, second, DEFAULT)]
    assert sorted(map(str, symbols)) == list(map(str, sorted(symbols)))


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        ("", "there are adjustment, session, currency, back_adjustment, settlement_as_close"),
        ("colour=red", "there are adjustment, session, currency, back_adjustment"),
        ("session=night", "session is 'night'; it may be regular or extended"),
        ("adjustment", "adjustment is ''; it may be splits or dividends or none"),
        ("currency=e", "currency is 'e'"),
        ("back_adjustment=yes", "back_adjustment is 'yes'; it may be true or false"),
        ("session=extended;session=regular", "session is given twice"),
    ],
)
def test_other_marks_are_refused(marks: str, reason: str) -> None:
    """An unknown name or value is refused with those that are allowed."""
    with pytest.raises(InvalidSymbol, match=re.escape(reason)):
        Symbol.parse(f"NASDAQ:AAPL;{marks}")


def test_days_have_no_extended_hours() -> None:
    """Bars of a day and longer are refused for extended hours, shorter ones are not."""
    symbol = Symbol.parse("NASDAQ:AAPL;session=extended")
    Series(symbol, Interval.H4).require_bars()
    with pytest.raises(InvalidRequest, match="session=extended is for bars of up to 4h"):
        Series(symbol, Interval.D1).require_bars()
