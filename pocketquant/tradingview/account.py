"""`Account`: the auth token that TradingView is greeted with.

A token given by the operator is used as it is. Signing in with user name and password gives one
that is kept in Redis, for all workers, and renewed before it expires; one worker at a time signs
in. Without either it is the token of anonymous visitors. No token, no password, and no answer
that may hold one, is ever written to a log or an error. A Redis that keeps what it holds writes the
token to its own files; those of `pocketquant up` are for its user alone.
"""

import base64
import hashlib
import time

import msgspec
import redis
import requests
from redis.exceptions import LockError

from pocketquant.domain.errors import (
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

ANONYMOUS = "unauthorized_user_token"

_REQUEST_TIMEOUT_SECONDS = 10.0
_LOCK_SECONDS = 30.0  # outlasts a sign-in, so that there is never a second one beside it
_REFUSAL_SECONDS = 60

_USED_SHARE = 0.9  # of a token's life, after which it is renewed
_SHORTEST_SECONDS = 60
_UNDATED_SECONDS = 3600  # for a token that does not tell when it expires
_WORDS = 200  # characters of the server's own words in an error

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
    """One account at TradingView, or none. Any number of threads may share it.

    `wait_seconds` bounds the wait for another worker's sign-in.
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
        """The token to use now. A refused sign-in is not tried again for a minute."""
        return self._fixed_token or self._kept_token() or self._signed_in_alone()

    def forget(self, token: str) -> None:
        """Do not give this token again: TradingView has refused it."""
        if not self._fixed_token:
            self._redis.eval(_DELETE_IF_SAME, 1, self._token_key, token)

    def _kept_token(self) -> str | None:
        token, refusal = self._redis.mget(self._token_key, self._refusal_key)
        if token:
            return _text(token)
        if refusal:
            raise _refused(_BY_CODE[_text(refusal)])
        return None

    def _signed_in_alone(self) -> str:
        lock = self._redis.lock(
            self._lock_key,
            timeout=_LOCK_SECONDS,
            blocking_timeout=self._wait_seconds,
            raise_on_release_error=False,
        )
        try:
            with lock:
                return self._kept_token() or self._signed_in()
        except LockError as error:
            raise ProviderTimeout("another worker's sign-in at TradingView takes long") from error

    def _signed_in(self) -> str:
        try:
            token = _token_of(self._post_credentials())
        except tuple(_REFUSALS) as refusal:
            self._redis.set(self._refusal_key, refusal.code, ex=_REFUSAL_SECONDS)
            raise
        self._redis.set(self._token_key, token, ex=_seconds_of_use(token, time.time()))
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


class _Answer(msgspec.Struct):
    error: str | None = None
    code: str | None = None
    user: _User | None = None


def _token_of(response: requests.Response) -> str:
    if response.status_code == requests.codes.too_many_requests:
        raise _refused(RateLimited)
    try:
        answer = msgspec.json.decode(response.content, type=_Answer)
    except msgspec.DecodeError as error:
        raise ProviderFault(f"the sign-in was answered by HTTP {response.status_code}") from error
    said = f"{answer.code or ''} {answer.error or ''}".strip()
    if "captcha" in said.lower():
        raise _refused(CaptchaRequired)
    if "2fa" in said.lower():
        raise _refused(TwoFactorRequired)
    if said and response.status_code < 500:
        raise _refused(SignInFailed, f": {said[:_WORDS]}")
    if answer.user is None or not answer.user.auth_token:
        raise ProviderFault("TradingView answered the sign-in without a token")
    return answer.user.auth_token


def _refused(refusal: type[PocketQuantError], said: str = "") -> PocketQuantError:
    return refusal(_REFUSALS[refusal] + said)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _seconds_of_use(token: str, now: float) -> int:
    expires_at = expiry(token)
    if expires_at is None:
        return _UNDATED_SECONDS
    return max(_SHORTEST_SECONDS, int((expires_at - now) * _USED_SHARE))


class _Claims(msgspec.Struct):
    exp: float | None = None


def expiry(token: str) -> float | None:
    """When a JWT says that it expires, in epoch seconds."""
    claims = token.split(".")[1:2]
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(claims[0] + "=="), type=_Claims).exp
    except (IndexError, ValueError):
        return None
