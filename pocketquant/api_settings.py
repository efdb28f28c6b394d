"""The settings of commands that call an API, read without the libraries of the server.

They are variables of `settings.py`, from the environment or `.env`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from dotenv import dotenv_values

from pocketquant.domain.errors import InvalidSettings

HOST = "127.0.0.1"
API_PORT = 8000
PUSH_PORT = 8001

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing is bound


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """URLs of the API and of its streams, and the API key; empty: none is sent."""

    api_url: str
    push_url: str
    api_key: str = field(repr=False)

    @classmethod
    def read(cls, url: str | None = None, push_url: str | None = None) -> Self:
        """Return the settings; the URL arguments have priority.

        Without any URL of streams, that of the API is used; without any URL, this machine's.
        """
        variables = {**dotenv_values(".env"), **os.environ}
        values = {name.upper(): value for name, value in variables.items()}
        api = url or values.get("API_URL")
        push = push_url or values.get("PUSH_URL") or api
        return cls(
            api or _own(values, "API", API_PORT),
            push or _own(values, "PUSH", PUSH_PORT),
            values.get("API_KEY") or "",
        )


def _own(values: Mapping[str, str | None], name: str, port: int) -> str:
    text = values.get(f"{name}_PORT") or str(port)
    if not text.isdecimal():
        raise InvalidSettings(f"{name}_PORT: {text!r} is no port number")
    return url_of(values.get(f"{name}_HOST") or HOST, int(text))


def url_of(host: str, port: int) -> str:
    """URL of this listener from the same machine; wildcards become loopback."""
    name = host.strip("[]")
    name = _LOOPBACK.get(name, name)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
