"""A simulated TradingView on loopback, for development, tests, the demo and benchmarks."""
