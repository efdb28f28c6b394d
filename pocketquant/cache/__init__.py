"""Caches and live data in Redis; all of it may be lost."""
