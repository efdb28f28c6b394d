"""TradingView's reasons are mapped to errors."""

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
def test_reasons(reason: str, expected: type[PocketQuantError]) -> None:
    """A known reason gives its error, an unknown one ProviderFault."""
    assert expected is type(error_for_reason("NYSE:KO", reason))


def test_messages() -> None:
    """The error's message names the subject and quotes the reason, shortened if it is long."""
    error = error_for_reason("NYSE:KO", "odd", "x" * 1000)
    assert f"TradingView on NYSE:KO: odd {'x' * 196}" == str(error)


def test_a_bad_token_says_what_to_do() -> None:
    """The error of a bad token says how to replace it."""
    assert str(error_for_reason("quotes", "bad auth token")).endswith(
        "bad auth token; set TRADINGVIEW_TOKEN to a fresh token, or unset it"
    )
