"""Which hosts are this machine itself."""

import pytest

from pocketquant.servers.addresses import is_loopback, names_this_machine


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((here, True) for here in ("localhost", "LOCALHOST.", "a.localhost", "127.0.0.1")),
        *((here, True) for here in ("127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1")),
        *((away, False) for away in ("", "0.0.0.0", "::", "10.0.0.1", "example.com", "1")),
        *((away, False) for away in ("127.0.0.1.example.com", "localhost.io", "2130706433")),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_loopback_hosts_are_recognised(host: str, expected: bool) -> None:
    """Names and addresses of loopback are recognised, similar names are not."""
    assert expected == is_loopback(host)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((here, True) for here in ("localhost:5555", "127.0.0.1", "[::1]:80", "a.localhost:1")),
        *((away, False) for away in ("", ":80", "example.com:5555", "[::1", "::1", "localhost:x")),
        *((away, False) for away in ("evil.example", "127.0.0.1.evil.example:5555", "10.0.0.1")),
    ],
)
def test_the_host_of_a_request_names_this_machine(host: str, expected: bool) -> None:
    """A Host header may have a port; a malformed one names no machine."""
    assert expected == names_this_machine(host)
