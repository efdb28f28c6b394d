"""The description of a symbol, and the variants that it rules out."""

import re
from dataclasses import replace

import pytest

from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.errors import VariantNotAllowed
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Symbol


@pytest.mark.parametrize(
    ("price_scale", "min_move", "expected"),
    [(100, 1, 0.01), (100, 25, 0.25), (None, 1, None), (100, None, None), (0, 1, None)],
)
def test_the_tick_size_is_the_smallest_step(
    price_scale: int | None, min_move: int | None, expected: float | None
) -> None:
    """The provider sends it as a fraction."""
    symbol = Symbol("CME_MINI", "ES1!")
    listing = Listing(symbol, price_scale=price_scale, min_move=min_move)
    assert expected == listing.tick_size


@pytest.mark.parametrize(
    ("fields", "marks", "reason"),
    [
        ({"allowed_adjustment": "splits"}, "adjustment=dividends", "adjustment=splits or none"),
        ({"allowed_adjustment": "none"}, "adjustment=dividends", "adjustment=splits or none"),
        ({"has_adjustment": False}, "adjustment=dividends", "adjustment=splits or none"),
        ({"has_extended_hours": False}, "session=extended", "session=regular"),
        ({"type": "stock"}, "back_adjustment=true", "back_adjustment=false"),
        ({"type": "stock"}, "settlement_as_close=false", "settlement_as_close=unset"),
    ],
)
def test_the_description_rules_variants_out(
    fields: dict[str, object], marks: str, reason: str
) -> None:
    """The refusal says what is allowed instead."""
    listing = Listing(Symbol("NYSE", "KO"), **fields)  # type: ignore[arg-type]
    wanted = Symbol.parse(f"NYSE:KO;{marks}").variant
    text = f"NYSE:KO has no bars with {marks}; allowed: {reason}"
    with pytest.raises(VariantNotAllowed, match=re.escape(text)):
        listing.require_variant(wanted)


@pytest.mark.parametrize(
    ("fields", "marks"),
    [
        ({}, "adjustment=dividends;session=extended;back_adjustment=true"),
        ({"allowed_adjustment": "any", "has_adjustment": True}, "adjustment=dividends"),
        ({"allowed_adjustment": "none"}, "adjustment=none"),
        ({"has_extended_hours": True}, "session=extended"),
        ({"type": "futures"}, "back_adjustment=true;settlement_as_close=true"),
        ({"currency": "USD"}, "currency=EUR"),
    ],
)
def test_what_is_not_ruled_out_is_allowed(fields: dict[str, object], marks: str) -> None:
    """So is everything of which the provider says nothing."""
    listing = Listing(Symbol("NYSE", "KO"), **fields)  # type: ignore[arg-type]
    listing.require_variant(Symbol.parse(f"NYSE:KO;{marks}").variant)


def test_prices_in_another_currency_than_the_wanted_one_are_refused() -> None:
    """The description of a variant names the currency that its prices are sent in."""
    symbol = Symbol.parse("NYSE:KO;currency=EUR")
    for fine in ("EUR", ""):
        Listing(symbol, currency=fine).require_own_variant()
    with pytest.raises(VariantNotAllowed, match="no prices in EUR; TradingView sends USD"):
        Listing(symbol, currency="USD").require_own_variant()


def test_a_fingerprint_names_a_listing() -> None:
    """It is another one as soon as anything differs, the hours included."""
    listing = Listing(Symbol("NASDAQ", "AAPL"), "Apple", price_scale=100)
    equal = Listing(Symbol("NASDAQ", "AAPL"), "Apple", price_scale=100)
    assert listing.fingerprint == equal.fingerprint
    others = (
        replace(listing, price_scale=1000),
        replace(listing, hours=CalendarTexts("Etc/UTC", "24x7")),
        replace(listing, hours=CalendarTexts("Etc/UTC", "24x7:1")),
    )
    assert 4 == len({each.fingerprint for each in (listing, *others)})
