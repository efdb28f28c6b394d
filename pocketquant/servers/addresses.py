"""Hosts: which of them are this machine itself."""

import re
from functools import lru_cache
from ipaddress import ip_address

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]*)(:[0-9]{1,5})?")


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
