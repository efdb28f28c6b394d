"""`Account`: provides the auth token that each connection to TradingView sends first.

A token from the settings is used as it is. With a user name and password, one worker at a time
signs in; all workers share the token through Redis, and renew it before it expires. Without
either, the token is that of anonymous visitors. Tokens, passwords and sign-in responses never
appear in a log or an error. A Redis with persistence writes the token to its files; only the user
of `pocketquant up` can read the files of its private server.
"""

import base64
import hashlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import redis
import requests
from redis.exceptions import LockError

from pocketquant.domain.errors import (
    BadToken,
    CaptchaRequired,
    ConnectionLost,
    InvalidSettings,
    PocketQuantError,
    ProviderFault,
    ProviderTimeout,
    RateLimited,
    SignInFailed,
    TwoFactorRequired,
)
from pocketquant.domain.plans import NO_PLAN, AccountPlan, plan_named

ANONYMOUS = "unauthorized_user_token"

Result = TypeVar("Result")

_REQUEST_TIMEOUT_SECONDS = 10.0
_LOCK_SECONDS = 30.0  # longer than a sign-in takes, so that two never overlap
_REFUSAL_SECONDS = 60

_USED_SHARE = 0.9  # a token is renewed after this share of its lifetime
_SHORTEST_SECONDS = 60
_UNDATED_SECONDS = 3600  # the lifetime of a token without an expiry
_MAX_REASON_LENGTH = 200  # characters of the server's message in an error

_REMEDY = (
    "sign in with a browser, copy `user.auth_token` from the answer to `accounts/signin/`"
    " (developer tools, Network) and set TRADINGVIEW_TOKEN to it"
)
_REFUSALS: dict[type[PocketQuantError], str] = {
    CaptchaRequired: f"TradingView wants a captcha to sign in: {_REMEDY}",
    TwoFactorRequired: f"TradingView wants a second factor to sign in: {_REMEDY}",
    SignInFailed: "TradingView refused TRADINGVIEW_USERNAME and TRADINGVIEW_PASSWORD",
    RateLimited: "TradingView answered the sign-in with HTTP 429, too many requests",
}
_BY_CODE = {refusal.code: refusal for refusal in _REFUSALS}

_DELETE_IF_SAME = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end"


class Account:
    """The configured TradingView account, or the anonymous one. Safe to share between threads.

    `wait_seconds` limits the wait for another worker's sign-in.
    """

    def __init__(
        self,
        http_url: str,
        username: str,
        password: str,
        token: str,
        redis: redis.Redis,
        wait_seconds: float = 15.0,
    ) -> None:
        if bool(username) != bool(password):
            raise InvalidSettings("TRADINGVIEW_USERNAME and TRADINGVIEW_PASSWORD go together")
        self._http_url = http_url.rstrip("/")
        self._username = username
        self._password = password
        self._fixed_token = token or ("" if username else ANONYMOUS)
        self._redis = redis
        self._wait_seconds = wait_seconds
        name = hashlib.sha256(username.encode()).hexdigest()
        self._token_key = f"tradingview:token:{name}"
        self._refusal_key = f"tradingview:refusal:{name}"
        self._lock_key = f"tradingview:sign-in:{name}"

    def token(self) -> str:
        """Return the token to use now. After a refusal, the next sign-in waits for a minute."""
        return self._fixed_token or self._stored_token() or self._sign_in_locked()

    def plan(self) -> AccountPlan:
        """Return the plan of the token; it is not known before the first sign-in."""
        token = self._fixed_token or self._redis.get(self._token_key)
        return plan_of(_text(token)) if token else AccountPlan("")

    def authorized(self, work: Callable[[str], Result]) -> Result:
        """Return the result of `work` with the token.

        If TradingView refuses the token, repeat it once with a new one, if there is one.
        """
        token = self.token()
        try:
            return work(token)
        except BadToken:
            self.forget(token)
            fresh = self.token()
            if fresh == token:
                raise
        return work(fresh)

    def forget(self, token: str) -> None:
        """Delete a stored token that TradingView refused."""
        if not self._fixed_token:
            self._redis.eval(_DELETE_IF_SAME, 1, self._token_key, token)

    def _stored_token(self) -> str | None:
        token, refusal = self._redis.mget(self._token_key, self._refusal_key)
        if token:
            return _text(token)
        if refusal:
            raise _refused(_BY_CODE[_text(refusal)])
        return None

    def _sign_in_locked(self) -> str:
        lock = self._redis.lock(
            self._lock_key,
            timeout=_LOCK_SECONDS,
            blocking_timeout=self._wait_seconds,
            raise_on_release_error=False,
        )
        try:
            with lock:
                return self._stored_token() or self._sign_in()
        except LockError as error:
            raise ProviderTimeout("another worker's sign-in at TradingView takes long") from error

    def _sign_in(self) -> str:
        try:
            token = _read_token(self._post_credentials())
        except tuple(_REFUSALS) as refusal:
            self._redis.set(self._refusal_key, refusal.code, ex=_REFUSAL_SECONDS)
            raise
        self._redis.set(self._token_key, token, ex=_seconds_to_renewal(token, time.time()))
        return token

    def _post_credentials(self) -> requests.Response:
        try:
            return requests.post(
                f"{self._http_url}/accounts/signin/",
                data={"username": self._username, "password": self._password, "remember": "on"},
                headers={"Referer": self._http_url},
                timeout=_REQUEST_TIMEOUT_SECONDS,
            )
        except requests.Timeout as error:
            raise ProviderTimeout("TradingView did not answer the sign-in in time") from error
        except requests.RequestException as error:
            raise ConnectionLost("the sign-in could not reach TradingView") from error


class _User(msgspec.Struct):
    auth_token: str | None = None


class _SignInResponse(msgspec.Struct):
    error: str | None = None
    code: str | None = None
    user: _User | None = None


def _read_token(response: requests.Response) -> str:
    if response.status_code == requests.codes.too_many_requests:
        raise _refused(RateLimited)
    try:
        answer = msgspec.json.decode(response.content, type=_SignInResponse)
    except msgspec.DecodeError as error:
        raise ProviderFault(f"the sign-in was answered by HTTP {response.status_code}") from error
    reason = f"{answer.code or ''} {answer.error or ''}".strip()
    if "captcha" in reason.lower():
        raise _refused(CaptchaRequired)
    if "2fa" in reason.lower():
        raise _refused(TwoFactorRequired)
    if reason and response.status_code < 500:
        raise _refused(SignInFailed, f": {reason[:_MAX_REASON_LENGTH]}")
    if answer.user is None or not answer.user.auth_token:
        raise ProviderFault("TradingView answered the sign-in without a token")
    return answer.user.auth_token


def _refused(refusal: type[PocketQuantError], detail: str = "") -> PocketQuantError:
    return refusal(_REFUSALS[refusal] + detail)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _seconds_to_renewal(token: str, now: float) -> int:
    expires_at = expiry(token)
    if expires_at is None:
        return _UNDATED_SECONDS
    return max(_SHORTEST_SECONDS, int((expires_at - now) * _USED_SHARE))


class _Claims(msgspec.Struct):
    exp: Any = None
    plan: Any = None
    max_connections: Any = None


def expiry(token: str) -> float | None:
    """Return the expiry of a JWT in epoch seconds; None if it has none or is no JWT."""
    expires_at = _claims(token).exp
    return float(expires_at) if isinstance(expires_at, int | float) else None


def plan_of(token: str) -> AccountPlan:
    """Return the plan that a token's claims name, with its limit of connections."""
    if token == ANONYMOUS:
        return NO_PLAN
    claims = _claims(token)
    most = claims.max_connections
    is_limit = isinstance(most, int) and most > 0
    return plan_named(str(claims.plan or ""), most if is_limit else None)


def _claims(token: str) -> _Claims:
    """Return the claims of a JWT; none if it is no JWT."""
    try:
        content = base64.urlsafe_b64decode(token.split(".")[1] + "==")
        return msgspec.json.decode(content, type=_Claims)
    except (IndexError, ValueError):
        return _Claims()
