"""The text by which calls to TradingView name a symbol and the variant of its bars."""

import json

from pocketquant.domain.symbols import Symbol


def symbol_text(symbol: Symbol) -> str:
    """Return the text for `resolve_symbol`: `={"symbol":"NASDAQ:AAPL","adjustment":…}`."""
    variant = symbol.variant
    keys: dict[str, str | bool] = {
        "symbol": str(symbol.listing),
        "adjustment": variant.adjustment.value,
        "session": variant.session.value,
    }
    if variant.currency:
        keys["currency-id"] = variant.currency
    if variant.back_adjustment:
        keys["backadjustment"] = "default"
    if variant.settlement_as_close is not None:
        keys["settlement-as-close"] = variant.settlement_as_close
    return "=" + json.dumps(keys, separators=(",", ":"))


def quote_text(symbol: Symbol) -> str:
    """Return the text for `quote_add_symbols`, the plain name of a default variant."""
    return symbol_text(symbol) if symbol.name != symbol.ticker else str(symbol)
