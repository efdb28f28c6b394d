"""The simulated market; opens nothing."""
