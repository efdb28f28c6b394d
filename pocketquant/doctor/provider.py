"""Check TradingView: its website, its WebSocket, and the account's token."""

import math
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import requests
from pymongo.errors import PyMongoError

from pocketquant.coordination.handshakes import Handshakes
from pocketquant.doctor.findings import Finding, address_of, broken, ok, skipped, warning
from pocketquant.domain.errors import (
    BadToken,
    HandshakeRefused,
    InvalidSettings,
    PocketQuantError,
    ProviderTimeout,
    RateLimited,
)
from pocketquant.domain.plans import NO_PLAN, AccountPlan
from pocketquant.domain.symbols import Symbol
from pocketquant.domain.turns import TurnFarOff
from pocketquant.servers.connections import open_mongo, open_redis
from pocketquant.settings import Settings
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.tradingview.account import ANONYMOUS, expiry, plan_of
from pocketquant.tradingview.connections import Connection, Connections, Need
from pocketquant.tradingview.quotes import QuoteSession
from pocketquant.tradingview.timed_socket import too_late
from pocketquant.wiring import wire_handshakes

_SECONDS = 5.0
_REDIS_SECONDS = 1.0
_MONGO_SECONDS = 1.0
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
        _receive_quote(settings, ANONYMOUS if is_expired else token or ANONYMOUS)
    except TurnFarOff as turn:
        failure = turn.error and _failure(settings.tradingview_url, turn.error)
        yield failure or _no_turn(turn)
    except BadToken:
        yield ok("tradingview websocket", f"{address_of(settings.tradingview_url)} answers")
        yield broken("tradingview token", "TradingView refuses the token", _SIGN_IN_AGAIN)
    except PocketQuantError as error:
        yield _failure(settings.tradingview_url, error)
    else:
        yield ok("tradingview websocket", f"{address_of(settings.tradingview_url)} sends quotes")
        if not is_expired:
            met = _limit_met(settings)
            yield _token_that_works(token, settings.tradingview_username, met)


def _token_that_works(token: str, username: str, met: int | None) -> Finding:
    if token:
        return ok("tradingview token", f"TradingView takes it; {_described(plan_of(token), met)}")
    if username:
        return skipped("tradingview token", "workers sign in by themselves; not tried here")
    limit = NO_PLAN.bar_limit(met)
    return ok("tradingview token", f"none: anonymous, delayed quotes and at most {limit}")


def _limit_met(settings: Settings) -> int | None:
    """Return how many bars the plan serves, if a sync has met its limit and MongoDB knows it."""
    try:
        mongo = open_mongo(settings.mongodb_url, settings.mongodb_database, _MONGO_SECONDS)
        with mongo.client:
            return SyncStatuses(mongo).limit()
    except (InvalidSettings, PyMongoError):
        return None


def _described(plan: AccountPlan, met: int | None) -> str:
    """Return the known limits of a plan, in words."""
    connections = f"{plan.most_connections} connections" if plan.most_connections else ""
    limits = (str(plan.bar_limit(met)), connections)
    known = " and ".join(each for each in limits if each)
    return f"plan {plan.name or 'unknown'}" + (f": at most {known}" if known else "")


def _no_turn(turn: TurnFarOff) -> Finding:
    """Return that the connection was not tried, as handshakes pause."""
    found = f"not tried: the next handshake may begin in {math.ceil(turn.delay_seconds)} s"
    return warning("tradingview websocket", found, "run the doctor again after that time")


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


def _receive_quote(settings: Settings, token: str) -> None:
    """Return once a quote has arrived; raises the error of the session or the connection.

    The handshake has a turn of the fleet's pace, unless Redis is away.
    """
    need = Need(time.monotonic() + _SECONDS, is_urgent=True)
    with _pace(settings) as pace:
        connections = Connections(settings.tradingview_url, pace, patience_seconds=_SECONDS)
        connections.use(lambda connection: _converse(connection, token), need)


@contextmanager
def _pace(settings: Settings) -> Iterator[Handshakes | None]:
    """Open the pace of handshakes; None if the URL of Redis is wrong, which another check finds."""
    try:
        cache = open_redis(settings.redis_url, _REDIS_SECONDS)
    except InvalidSettings:
        yield None
        return
    with closing(cache):
        yield wire_handshakes(settings, cache, needs_redis=False)


def _converse(connection: Connection, token: str) -> None:
    session = QuoteSession("qs_doctor", token)
    session.add([_COMMON_SYMBOL])
    while True:
        for frame in session.outgoing():
            connection.send(frame)
        text = connection.receive()
        if text is None:
            raise too_late()
        received = session.receive(text, time.time())
        if session.error:
            raise session.error
        if received.delays or received.refused:
            return
