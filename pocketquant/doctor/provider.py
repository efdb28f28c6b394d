"""Check TradingView: its website, its WebSocket, and the account's token."""

import time
from collections.abc import Iterator

import requests

from pocketquant.doctor.findings import Finding, address_of, broken, ok, skipped, warning
from pocketquant.domain.errors import (
    BadToken,
    HandshakeRefused,
    PocketQuantError,
    ProviderTimeout,
    RateLimited,
)
from pocketquant.domain.plans import AccountPlan
from pocketquant.domain.symbols import Symbol
from pocketquant.settings import Settings
from pocketquant.tradingview.account import ANONYMOUS, expiry, plan_of
from pocketquant.tradingview.quotes import QuoteSession
from pocketquant.tradingview.socket import open_socket

_SECONDS = 5.0
_COMMON_SYMBOL = Symbol.parse("NASDAQ:AAPL")
_SIGN_IN_AGAIN = (
    "sign in with a browser, copy `user.auth_token` and set TRADINGVIEW_TOKEN to it;"
    " empty: bars are fetched anonymously"
)


def website(settings: Settings) -> Iterator[Finding]:
    """Check that the website responds at all; a sign-in could lock the account."""
    url = settings.tradingview_http_url
    try:
        answer = requests.get(url, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        found = f"{address_of(url)} can't be reached: {type(error).__name__}"
        remedy = "mend TRADINGVIEW_HTTP_URL, DNS, proxy or firewall of this machine"
        yield broken("tradingview website", found, remedy)
        return
    yield ok("tradingview website", f"{address_of(url)} answers with HTTP {answer.status_code}")


def socket(settings: Settings) -> Iterator[Finding]:
    """Connect like a streamer, and receive one quote."""
    token = settings.tradingview_token.get_secret_value()
    expires_at = expiry(token) if token else None
    is_expired = expires_at is not None and expires_at < time.time()
    if is_expired:
        yield broken("tradingview token", "TRADINGVIEW_TOKEN has expired", _SIGN_IN_AGAIN)
    try:
        _receive_quote(settings.tradingview_url, ANONYMOUS if is_expired else token or ANONYMOUS)
    except BadToken:
        yield ok("tradingview websocket", f"{address_of(settings.tradingview_url)} answers")
        yield broken("tradingview token", "TradingView refuses the token", _SIGN_IN_AGAIN)
    except PocketQuantError as error:
        yield _failure(settings.tradingview_url, error)
    else:
        yield ok("tradingview websocket", f"{address_of(settings.tradingview_url)} sends quotes")
        if not is_expired:
            yield _token_that_works(token, settings.tradingview_username)


def _token_that_works(token: str, username: str) -> Finding:
    if token:
        return ok("tradingview token", f"TradingView takes it; {_described(plan_of(token))}")
    if username:
        return skipped("tradingview token", "workers sign in by themselves; not tried here")
    return ok("tradingview token", "none: anonymous, with fewer bars and delayed quotes")


def _described(plan: AccountPlan) -> str:
    """Return the known limits of a plan, in words."""
    limits = [
        f"{plan.most_bars} bars of a series below a day" if plan.most_bars else "",
        f"{plan.most_connections} connections" if plan.most_connections else "",
    ]
    known = " and ".join(each for each in limits if each)
    return f"plan {plan.name or 'unknown'}" + (f": at most {known}" if known else "")


def _failure(url: str, error: PocketQuantError) -> Finding:
    check, found = "tradingview websocket", f"{address_of(url)}: {error}"
    if isinstance(error, RateLimited):
        return warning(
            check, found, "wait some minutes; lower PROVIDER_HANDSHAKE_RATE if it happens again"
        )
    if isinstance(error, HandshakeRefused):
        return broken(check, found, "mend TRADINGVIEW_URL, or a proxy that blocks WebSockets")
    if isinstance(error, ProviderTimeout):
        return broken(
            check, found, "it accepts connections and does not respond: look for a proxy between"
        )
    return broken(check, found, "mend TRADINGVIEW_URL, DNS or firewall of this machine")


def _receive_quote(url: str, token: str) -> None:
    """Return once a quote has arrived; raises the error of the session or the connection."""
    session = QuoteSession("qs_doctor", token)
    session.add([_COMMON_SYMBOL])
    with open_socket(url, time.monotonic() + _SECONDS) as connection:
        while True:
            for frame in session.outgoing():
                connection.send(frame)
            received = session.receive(connection.receive(), time.time())
            if session.error:
                raise session.error
            if received.delays or received.refused:
                return
