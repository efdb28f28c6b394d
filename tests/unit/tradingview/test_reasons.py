"""What the server's words mean."""

import pytest

from pocketquant.domain.errors import (
    BadToken,
    NoPermission,
    PocketQuantError,
    ProviderFault,
    RateLimited,
    UnknownSymbol,
    UnsupportedInterval,
)
from pocketquant.tradingview.reasons import error_for_reason


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("invalid symbol", UnknownSymbol),
        ("no_such_symbol", UnknownSymbol),
        ("permission denied", NoPermission),
        ("Permission denied", NoPermission),
        ("permission_denied", NoPermission),
        ("bad auth token", BadToken),
        ("unsupported resolution: INDEX:NDFI, 5", UnsupportedInterval),
        ("seconds_not_entitled", UnsupportedInterval),
        ("user connections limit reached", RateLimited),
        ("banned by ip", RateLimited),
        ("invalid_parameters", ProviderFault),
        ("", ProviderFault),
    ],
)
def test_meanings(reason: str, expected: type[PocketQuantError]) -> None:
    """Known words have their error; others are a fault of the provider."""
    assert expected is type(error_for_reason("NYSE:KO", reason))


def test_messages() -> None:
    """The message names the subject and quotes the words, cut short if there are too many."""
    error = error_for_reason("NYSE:KO", "odd", "x" * 1000)
    assert f"TradingView on NYSE:KO: odd {'x' * 196}" == str(error)


def test_a_bad_token_says_what_to_do() -> None:
    """Of a bad token the message says how to mend it."""
    assert str(error_for_reason("quotes", "bad auth token")).endswith(
        "bad auth token; set TRADINGVIEW_TOKEN to a fresh token, or unset it"
    )
