"""The URLs of this machine's listeners."""

import pytest

from pocketquant.api_settings import url_of


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, "http://127.0.0.1:80") for host in ("0.0.0.0", "127.0.0.1")),
        *((host, "http://[::1]:80") for host in ("::", "[::]", "::1", "[::1]")),
        ("quant.example.com", "http://quant.example.com:80"),
    ],
)
def test_the_url_of_a_listener_is_one_to_connect_to(host: str, expected: str) -> None:
    """An address for all interfaces becomes the loopback address of its family."""
    assert expected == url_of(host, 80)
