"""Hosts: which are this machine itself, and how they stand in a URL."""

from functools import lru_cache
from ipaddress import ip_address

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


def url_of(host: str, port: int) -> str:
    """Where what listens there is asked by its own machine: all addresses include the loopback."""
    asked = _ASKED.get(host.strip("[]"), host.strip("[]"))
    return f"http://[{asked}]:{port}" if ":" in asked else f"http://{asked}:{port}"
