"""MongoDB holds all that must not be lost; one store a file."""
