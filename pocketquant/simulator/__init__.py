"""A TradingView on loopback, to develop, test, demonstrate and benchmark against."""
