"""Which hosts are this machine itself."""

from functools import lru_cache
from ipaddress import ip_address


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
