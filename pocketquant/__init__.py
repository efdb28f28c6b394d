"""PocketQuant, a self-hosted market-data platform; `pocketquant.Client` calls its API."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketquant.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    """Import the client at its first use: it needs requests and numpy, most modules do not."""
    if name in __all__:
        from pocketquant import client

        return client.Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
