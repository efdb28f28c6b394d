"""The request being served, and its state, as plain objects.

Flask's `request` and `g` are proxies that look these up at every use; functions that run in each
request look them up once.
"""

from typing import Any

from flask import Request, g, request


def current_request() -> Request:
    """Return the request that this thread serves."""
    return request._get_current_object()  # type: ignore[attr-defined,no-any-return]


def current_state() -> Any:
    """Return the object that `g` stands for."""
    return g._get_current_object()
