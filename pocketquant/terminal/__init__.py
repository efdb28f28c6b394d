"""What a terminal shows of live quotes."""
