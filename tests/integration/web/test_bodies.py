"""A request with a late body ends after its reader."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from flask import Response

from web.guard.bodies import leave_open


def test_the_request_of_a_late_body_outlasts_its_reading() -> None:
    """Otherwise granian would wait for the reader while it holds the GIL, and serve no request."""
    has_ended = Event()
    response = leave_open(Response(b"late"), has_ended)
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(response.close)
        with pytest.raises(TimeoutError):
            closing.result(0.2)
        has_ended.set()
        assert closing.result(10) is None
