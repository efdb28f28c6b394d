"""Hosts: which are this machine itself, and how they stand in a URL."""

import re
from functools import lru_cache
from ipaddress import ip_address

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]*)(:[0-9]{1,5})?")
_ASKED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing is bound


@lru_cache(1000)  # asked of each request
def is_loopback(host: str) -> bool:
    """Whether it is `localhost`, a name under it, or an address that only this machine reaches."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def names_this_machine(host_header: str) -> bool:
    """Whether the Host of a request, with its port or without, is a name of this machine.

    A web page whose name was rebound to a loopback address sends its own name.
    """
    host = _HOST.fullmatch(host_header)
    return host is not None and is_loopback(host[1])


def url_of(host: str, port: int) -> str:
    """Where what listens there is asked by its own machine: all addresses include the loopback."""
    asked = _ASKED.get(host.strip("[]"), host.strip("[]"))
    return f"http://[{asked}]:{port}" if ":" in asked else f"http://{asked}:{port}"
