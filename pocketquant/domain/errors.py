"""Every error of PocketQuant, split by what the caller can do about it.

    PocketQuantError
    ├── Rejected                 the request is wrong; asking again changes nothing
    │   ├── InvalidSymbol          invalid_symbol
    │   ├── InvalidInterval        invalid_interval
    │   ├── InvalidRequest         invalid_request
    │   ├── InvalidCalendar        invalid_calendar
    │   ├── UnknownSymbol          unknown_symbol
    │   ├── NoPermission           no_permission
    │   ├── UnsupportedInterval    unsupported_interval
    │   ├── VariantNotAllowed      variant_not_allowed
    │   ├── Unauthorized           unauthorized
    │   ├── Forbidden              forbidden
    │   ├── NotFound               not_found
    │   ├── NoLongerKept           no_longer_kept
    │   ├── Conflict               conflict
    │   ├── KeyReused              idempotency_key_reused
    │   ├── SuspectHistory         suspect_history
    │   └── Cancelled              cancelled
    ├── Unavailable              nothing wrong with the request; try again later
    │   ├── ConnectionLost         connection_lost
    │   ├── ProviderTimeout        provider_timeout
    │   ├── RateLimited            provider_rate_limited
    │   ├── HandshakeRefused       provider_refused
    │   ├── ProviderFault          provider_error
    │   ├── ProtocolViolation      provider_protocol
    │   ├── BarsRefused            provider_bars_refused
    │   ├── ProviderDown           provider_down
    │   ├── StorageUnavailable     storage_unavailable
    │   ├── NoLiveQuote            no_live_quote
    │   ├── TooManyStreams         too_many_streams
    │   ├── TooManyExports         too_many_exports
    │   ├── TooManyBodies          too_many_bodies
    │   ├── TooManySearches        too_many_searches
    │   ├── TooManyRequests        too_many_requests
    │   ├── SlowRequest            slow_request
    │   └── LeaseLost              lease_lost
    ├── Misconfigured            an operator has to act
    │   ├── BadToken               bad_token
    │   ├── CaptchaRequired        captcha_required
    │   ├── TwoFactorRequired      two_factor_required
    │   ├── SignInFailed           sign_in_failed
    │   └── InvalidSettings        invalid_settings
    ├── InternalError            internal_error: a defect of ours
    └── AttemptsExhausted        attempts_exhausted: every attempt died before it finished

`code` is stable: REST answers, dead letters and log lines carry it.
"""


class PocketQuantError(Exception):
    """An error with a stable name, `code`."""

    code = "error"


class Rejected(PocketQuantError):
    """The request itself is wrong and is never retried."""

    code = "rejected"


class InvalidSymbol(Rejected):
    """The text is not `EXCHANGE:TICKER`."""

    code = "invalid_symbol"


class InvalidInterval(Rejected):
    """The text names none of the 13 intervals."""

    code = "invalid_interval"


class InvalidRequest(Rejected):
    """A value of the request is out of its range."""

    code = "invalid_request"


class InvalidCalendar(Rejected):
    """The provider's text of a symbol's trading hours is not understood."""

    code = "invalid_calendar"


class UnknownSymbol(Rejected):
    """The provider has no such symbol."""

    code = "unknown_symbol"


class NoPermission(Rejected):
    """The account has no right to this symbol."""

    code = "no_permission"


class UnsupportedInterval(Rejected):
    """The provider does not offer this interval for the symbol or the account's plan."""

    code = "unsupported_interval"


class VariantNotAllowed(Rejected):
    """The provider does not offer the symbol in this variant, or live quotes of it do not exist."""

    code = "variant_not_allowed"


class Unauthorized(Rejected):
    """The request has no API key, or an invalid one."""

    code = "unauthorized"


class Forbidden(Rejected):
    """The key's scope does not include this, or the request comes from another web site."""

    code = "forbidden"


class NotFound(Rejected):
    """PocketQuant has no such symbol, job, bar or other object."""

    code = "not_found"


class NoLongerKept(Rejected):
    """The bars that were stored at that moment are not kept any longer."""

    code = "no_longer_kept"


class Conflict(Rejected):
    """The current state of the object does not allow this."""

    code = "conflict"


class KeyReused(Rejected):
    """The idempotency key was used before, for another request."""

    code = "idempotency_key_reused"


class SuspectHistory(Rejected):
    """Stored and fetched bars of the same times differ, and no split explains it."""

    code = "suspect_history"


class Cancelled(Rejected):
    """The job of this unit was cancelled."""

    code = "cancelled"


class Unavailable(PocketQuantError):
    """The request was fine; the same request may succeed later."""

    code = "unavailable"


class ConnectionLost(Unavailable):
    """The connection to the provider could not be opened, or broke."""

    code = "connection_lost"


class ProviderTimeout(Unavailable):
    """The provider did not answer completely before the deadline."""

    code = "provider_timeout"


class RateLimited(Unavailable):
    """The provider answered that we request too often (HTTP 429, session rate)."""

    code = "provider_rate_limited"


class HandshakeRefused(Unavailable):
    """The provider refused the WebSocket handshake (HTTP 403 and the like)."""

    code = "provider_refused"


class ProviderFault(Unavailable):
    """The provider reported an error of its own."""

    code = "provider_error"


class ProtocolViolation(Unavailable):
    """The provider sent what its protocol does not allow."""

    code = "provider_protocol"


class BarsRefused(Unavailable):
    """The provider sent closed bars, and all of them are invalid."""

    code = "provider_bars_refused"


class ProviderDown(Unavailable):
    """The provider has failed so often that requests to it are paused."""

    code = "provider_down"


class StorageUnavailable(Unavailable):
    """MongoDB, Redis or the message broker cannot be reached."""

    code = "storage_unavailable"


class NoLiveQuote(Unavailable):
    """The symbol is subscribed, but has no live quote."""

    code = "no_live_quote"


class TooManyStreams(Unavailable):
    """This process serves its maximum of streams."""

    code = "too_many_streams"


class TooManyExports(Unavailable):
    """This process serves its maximum of exports, for all callers or for this one."""

    code = "too_many_exports"


class TooManyBodies(Unavailable):
    """This process is receiving its maximum of request bodies."""

    code = "too_many_bodies"


class TooManySearches(Unavailable):
    """This process is waiting for its maximum of searches at the provider."""

    code = "too_many_searches"


class TooManyRequests(Unavailable):
    """The caller has reached its rate limit."""

    code = "too_many_requests"


class SlowRequest(Unavailable):
    """The body did not arrive in time, or too many others arrive slowly."""

    code = "slow_request"


class LeaseLost(Unavailable):
    """Another process has taken the unit or shard over: stop writing."""

    code = "lease_lost"


class Misconfigured(PocketQuantError):
    """Only an operator can fix this; the message says how."""

    code = "misconfigured"


class BadToken(Misconfigured):
    """The provider refused the auth token."""

    code = "bad_token"


class CaptchaRequired(Misconfigured):
    """The provider requires a captcha before it signs the account in."""

    code = "captcha_required"


class TwoFactorRequired(Misconfigured):
    """The account is protected by a second factor."""

    code = "two_factor_required"


class SignInFailed(Misconfigured):
    """The provider refused the user name or the password."""

    code = "sign_in_failed"


class InvalidSettings(Misconfigured):
    """A setting is missing or contradicts another."""

    code = "invalid_settings"


class InternalError(PocketQuantError):
    """An unforeseen failure; the log holds the traceback."""

    code = "internal_error"


class AttemptsExhausted(PocketQuantError):
    """The unit was started as often as allowed, and no attempt finished."""

    code = "attempts_exhausted"


def error_named(code: str, message: str) -> PocketQuantError:
    """The exception for a stored `code` and `message`; InternalError for an unknown code."""
    return _BY_CODE.get(code, InternalError)(message)


def _family(kind: type[PocketQuantError]) -> list[type[PocketQuantError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _family(child))]


_BY_CODE = {kind.code: kind for kind in reversed(_family(PocketQuantError))}
