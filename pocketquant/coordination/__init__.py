"""Redis: who may act, and when."""
