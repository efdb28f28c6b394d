"""Private servers for one machine."""

import errno
import socket
import sys

import pytest

from pocketquant.machine.embedded import HOST, reserve_port


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a bound port be shared")
def test_only_its_server_can_listen_on_a_reserved_port() -> None:
    """The kernel gives it to no other program, also while its server restarts."""
    port = reserve_port()
    for _ in range(2):
        with socket.socket() as stranger:
            assert errno.ECONNREFUSED == stranger.connect_ex((HOST, port))
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind((HOST, port))
        with (
            socket.create_server((HOST, port)) as server,
            socket.create_connection((HOST, port)) as client,
        ):
            assert (HOST, port) == client.getpeername()
            server.accept()[0].close()
