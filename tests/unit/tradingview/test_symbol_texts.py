"""The texts that name a symbol in calls to TradingView."""

import json

from pocketquant.domain.symbols import Symbol
from pocketquant.tradingview.symbol_texts import quote_text, symbol_text


def test_the_default_variant_has_the_text_that_tvdatafeed_sends() -> None:
    """Quotes are requested by the plain name."""
    symbol = Symbol("NASDAQ", "AAPL")
    assert '={"symbol":"NASDAQ:AAPL","adjustment":"splits","session":"regular"}' == symbol_text(
        symbol
    )
    assert "NASDAQ:AAPL" == quote_text(symbol)


def test_a_variant_is_named_by_the_keys_of_the_official_client() -> None:
    """Keys without a choice are left out."""
    symbol = Symbol.parse(
        "CME:ES1!;adjustment=dividends;session=extended;currency=EUR;back_adjustment=true;"
        "settlement_as_close=false"
    )
    expected = {
        "symbol": "CME:ES1!",
        "adjustment": "dividends",
        "session": "extended",
        "currency-id": "EUR",
        "backadjustment": "default",
        "settlement-as-close": False,
    }
    text = symbol_text(symbol)
    assert "=" == text[0]
    assert expected == json.loads(text[1:])
    assert text == quote_text(symbol)
