"""Checks of each request before its view: keys, limits, slow senders, browsers."""
