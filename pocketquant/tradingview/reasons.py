"""What the server's words for a failure mean: which of our errors it is."""

from pocketquant.domain.errors import (
    BadToken,
    NoPermission,
    PocketQuantError,
    ProviderFault,
    RateLimited,
    UnknownSymbol,
    UnsupportedInterval,
)

_REASON_LENGTH = 200

_MEANINGS: tuple[tuple[str, type[PocketQuantError]], ...] = (
    ("invalid symbol", UnknownSymbol),
    ("no_such_symbol", UnknownSymbol),
    ("permission denied", NoPermission),
    ("permission_denied", NoPermission),
    ("bad auth token", BadToken),
    ("unsupported resolution", UnsupportedInterval),
    ("custom_resolution", UnsupportedInterval),
    ("not_entitled", UnsupportedInterval),
    ("study_not_auth", UnsupportedInterval),
    ("max sessions rate", RateLimited),
    ("limit", RateLimited),
    ("banned", RateLimited),
)


def error_for_reason(subject: object, reason: str, detail: str = "") -> PocketQuantError:
    """The error on `subject` that the words mean; what is not known is a fault of the provider."""
    meant = (error for words, error in _MEANINGS if words in reason.lower())
    error = next(meant, ProviderFault)
    said = f"{reason} {detail}".strip()[:_REASON_LENGTH]
    if error is BadToken:
        said += "; set TRADINGVIEW_TOKEN to a fresh token, or unset it"
    return error(f"TradingView on {subject}: {said}")
