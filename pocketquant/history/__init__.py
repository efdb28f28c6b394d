"""Fetching and keeping history, from a request to stored bars."""
