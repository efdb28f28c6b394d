"""The simulated server's side of the protocol; opens nothing."""
