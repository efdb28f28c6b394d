"""Responses that stay open: quotes and jobs as server-sent events."""
