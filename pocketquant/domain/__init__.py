"""Market data: pure values and rules, without input or output."""
