"""PocketQuant: a self-hosted market-data platform."""
