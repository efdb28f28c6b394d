"""Tell whether a host is this machine itself."""

import re
from functools import lru_cache
from ipaddress import ip_address

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]*)(:[0-9]{1,5})?")


@lru_cache(1000)  # called for each request
def is_loopback(host: str) -> bool:
    """Whether the host is `localhost`, a name under it, or a loopback address."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def names_this_machine(host_header: str) -> bool:
    """Whether the Host header of a request, with or without a port, names this machine.

    A web page that had its DNS name rebound to a loopback address still sends its own name.
    """
    host = _HOST.fullmatch(host_header)
    return host is not None and is_loopback(host[1])
