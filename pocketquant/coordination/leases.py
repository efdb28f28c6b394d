"""`Leases`: one holder at a time for each name, by the Redis server's clock.

    lease:{name}      the holder's token, for as long as the lease lasts
    lease:newest      the newest token of all names

A token is larger than every earlier one, also on a Redis that was emptied: it is the newest token
plus one, or the server's time in microseconds if that is larger. So a write can be fenced: it is
made only while `lease.key` holds `lease.token`, which is false forever once another holder came.
"""

from dataclasses import dataclass

import redis

_NEWEST = "lease:newest"

# KEYS: lease, newest token; ARGV: milliseconds
_ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local time = redis.call('TIME')
local next = tonumber(redis.call('GET', KEYS[2]) or 0) + 1
local token = string.format('%.0f', math.max(next, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
return token
"""

# KEYS: lease; ARGV: token, milliseconds
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: lease; ARGV: token
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act under `name`, until it is released or expires."""

    name: str
    token: int

    @property
    def key(self) -> str:
        """The Redis key of the present holder's token."""
        return f"lease:{self.name}"


class Leases:
    """Leases that last `seconds` from acquisition or renewal; the driver's errors pass through."""

    def __init__(self, cache: redis.Redis, seconds: float) -> None:
        self._milliseconds = int(seconds * 1000)
        self._acquire = cache.register_script(_ACQUIRE)
        self._renew = cache.register_script(_RENEW)
        self._release = cache.register_script(_RELEASE)

    def acquire(self, name: str) -> Lease | None:
        """Acquire the lease; None while it is held, even by this process under another token."""
        token = self._acquire([Lease(name, 0).key, _NEWEST], [self._milliseconds])
        return None if token is None else Lease(name, int(token))

    def renew(self, lease: Lease) -> bool:
        """Renew the lease for its whole time; False if it is lost."""
        return bool(self._renew([lease.key], [lease.token, self._milliseconds]))

    def release(self, lease: Lease) -> bool:
        """Release the lease, so that others may acquire it at once; False if it was lost."""
        return bool(self._release([lease.key], [lease.token]))
