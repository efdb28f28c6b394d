"""MongoDB: what must not be lost."""
