"""Connections to MongoDB and Redis."""
