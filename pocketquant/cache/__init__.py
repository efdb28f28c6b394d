"""Redis: what may be lost."""
