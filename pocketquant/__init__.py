"""PocketQuant: a self-hosted market-data platform. `pocketquant.Client` asks one from Python."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketquant.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    """The client with its first use: no other module needs what it brings along."""
    if name in __all__:
        from pocketquant import client

        return client.Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
