"""Maps the reasons in TradingView's error messages to PocketQuant's errors."""

from pocketquant.domain.errors import (
    BadToken,
    NoPermission,
    PocketQuantError,
    ProviderFault,
    RateLimited,
    UnknownSymbol,
    UnsupportedInterval,
)

_MAX_REASON_LENGTH = 200

_ERRORS: tuple[tuple[str, type[PocketQuantError]], ...] = (
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
    """Return the error that the reason stands for; ProviderFault for an unknown reason."""
    matches = (error for words, error in _ERRORS if words in reason.lower())
    error = next(matches, ProviderFault)
    message = f"{reason} {detail}".strip()[:_MAX_REASON_LENGTH]
    if error is BadToken:
        message += "; set TRADINGVIEW_TOKEN to a fresh token, or unset it"
    return error(f"TradingView on {subject}: {message}")
