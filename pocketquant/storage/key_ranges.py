"""Ranges of keys that begin with a symbol: `NASDAQ:AAPL`, `NASDAQ:AAPL|1d`."""


def keys_of_exchange(exchange: str) -> dict[str, str]:
    """Return the condition on `_id` for all keys of an exchange; ";" follows ":"."""
    return {"$gt": f"{exchange}:", "$lt": f"{exchange};"}


def keys_of_symbol(exchange: str, ticker: str) -> dict[str, str]:
    """Return the condition on `_id` for all series of a symbol; "}" follows "|"."""
    return {"$gt": f"{exchange}:{ticker}|", "$lt": f"{exchange}:{ticker}}}"}
