"""`SentinelUrl`: a URL that names Sentinels, which know the address of a Redis master.

`sentinel://[user:password@]host[:26379];sentinel://host;…/0?master_name=mymaster`: the first part
may hold the user and password of the master, the last part the master's database and name.
"""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from pocketquant.domain.errors import InvalidSettings

SCHEME = "sentinel"

_PORT = 26379
_MASTER_NAME = "mymaster"


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """Host and port of each Sentinel, and how to log in to the master."""

    sentinels: tuple[tuple[str, int], ...]
    master_name: str
    database: int
    username: str | None
    password: str | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse the URL; InvalidSettings if it has not the form that the module describes."""
        try:
            parts = [urlsplit(one) for one in url.split(";")]
            named = parse_qs(parts[-1].query)
            return cls(
                sentinels=tuple((one.hostname or "", one.port or _PORT) for one in parts),
                master_name=named.get("master_name", [_MASTER_NAME])[0],
                database=int(parts[-1].path.strip("/") or 0),
                username=unquote(parts[0].username or "") or None,
                password=unquote(parts[0].password or "") or None,
            )._checked({one.scheme for one in parts})
        except ValueError:  # its text may quote the password
            raise InvalidSettings(
                "this is no URL of Sentinels, sentinel://[user:password@]host;sentinel://host;…"
                "/0?master_name=mymaster"
            ) from None

    def _checked(self, schemes: set[str]) -> Self:
        if schemes != {SCHEME} or not all(host for host, _ in self.sentinels):
            raise ValueError("each part has the same scheme and names a host")
        return self


def names_sentinels(url: str) -> bool:
    """Whether `SentinelUrl` reads this URL."""
    return url.startswith(f"{SCHEME}://")
