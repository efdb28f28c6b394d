"""Symbols of all kinds of markets, for generated tests."""

from pocketquant.simulator.market import world

INSTRUMENTS = [
    found
    for name in (
        "BINANCE:BTCUSDT",
        "NASDAQ:AAPL",
        "NSE:RELIANCE",
        "OANDA:EURUSD",
        "CME_MINI:ES1!",
        "HKEX:700",
        "OTC:QUIET",
        "TVC:VIX",
        "SIM:S0007",
    )
    if (found := world.find(name))
]
