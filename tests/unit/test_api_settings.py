"""The URLs of this machine's own listeners."""

import pytest

from pocketquant.api_settings import url_of


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((all_of_them, "http://127.0.0.1:80") for all_of_them in ("0.0.0.0", "127.0.0.1")),
        *((six, "http://[::1]:80") for six in ("::", "[::]", "::1", "[::1]")),
        ("quant.example.com", "http://quant.example.com:80"),
    ],
)
def test_the_url_of_a_listener_is_one_to_connect_to(host: str, expected: str) -> None:
    """An address that means all interfaces becomes the loopback of its family."""
    assert expected == url_of(host, 80)
