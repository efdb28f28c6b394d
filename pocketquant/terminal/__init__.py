"""Live quotes in a terminal."""
