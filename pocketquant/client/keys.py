"""Keys of the API."""

from collections.abc import Iterator
from urllib.parse import quote as escaped

from pocketquant.client.calls import Calls, Filter
from pocketquant.client.responses import Access, ApiKey, NewApiKey
from pocketquant.client.transport import Json


class Keys(Calls):
    """Calls about keys; all but `current` need a key of scope admin where the API needs keys."""

    def current(self) -> Access:
        """Return what the key of this client may do."""
        return self._call("GET", "/keys/current")

    def list(self, **filters: Filter) -> Iterator[ApiKey]:
        """Yield all keys, also revoked and expired ones, the newest first. Filter: `live`."""
        return self._pages("/keys", filters)

    def create(
        self, name: str, scope: str = "read", *, expires_in_seconds: int | None = None
    ) -> NewApiKey:
        """Create a key and return it with its text, `key`, which cannot be read again.

        If the response is lost, so is the text: revoke the key and create another one.
        """
        body: Json = {"name": name, "scope": scope, "expires_in_seconds": expires_in_seconds}
        return self._call("POST", "/keys", json=body)

    def revoke(self, key_id: str) -> ApiKey:
        """Revoke a key and return it; every process refuses it within seconds.

        NotFound: it is unknown. Conflict: it is the key of this client.
        """
        return self._call("DELETE", f"/keys/{escaped(key_id, safe='')}")
