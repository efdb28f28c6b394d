"""What market data is: pure values and rules, no input or output."""
