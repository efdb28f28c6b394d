"""Accounts sign in at the simulator and share the token in a real Redis without leaks."""

import logging
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import redis

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
from pocketquant.domain.plans import NO_PLAN, AccountPlan
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.wire import tokens
from pocketquant.tradingview.account import ANONYMOUS, Account, plan_of

USER, PASSWORD = "planted-user", "planted-password"
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator, for its website."""
    with running() as simulator:
        yield simulator


@pytest.fixture
def account(simulator: Simulator, cache: redis.Redis) -> Account:
    """An account that can sign in."""
    return Account(simulator.http_url, USER, PASSWORD, "", cache)


@contextmanager
def website(status: int, body: str) -> Iterator[str]:
    """Serve a site that gives every sign-in this answer; yields the URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_configured_token(cache: redis.Redis) -> None:
    """A configured token is used as it is, and cannot be deleted."""
    account = Account(NOBODY, USER, PASSWORD, "given", cache)
    account.forget("given")
    assert "given" == account.token()
    assert [] == cache.keys()


def test_no_account(cache: redis.Redis) -> None:
    """Without user, password and token, the token is that of anonymous visitors."""
    assert ANONYMOUS == Account(NOBODY, "", "", "", cache).token()


@pytest.mark.parametrize(("username", "password"), [(USER, ""), ("", PASSWORD)])
def test_half_an_account(cache: redis.Redis, username: str, password: str) -> None:
    """A user without a password is an error."""
    with pytest.raises(InvalidSettings, match="TRADINGVIEW_PASSWORD go together"):
        Account(NOBODY, username, password, "", cache)


def test_one_sign_in_for_all(simulator: Simulator, cache: redis.Redis) -> None:
    """Workers that need a token at the same time sign in once and share it."""
    together = threading.Barrier(16)

    def token(_: int) -> str:
        account = Account(simulator.http_url, USER, PASSWORD, "", cache)
        together.wait(30)
        return account.token()

    with ThreadPoolExecutor(16) as threads:
        tokens = set(threads.map(token, range(16)))
    assert (1, 1) == (len(tokens), simulator.tally.sign_ins)


def test_the_token_is_renewed_before_it_expires(account: Account, cache: redis.Redis) -> None:
    """A token is stored for nine tenths of its four hours."""
    account.token()
    (key,) = cache.keys("tradingview:token:*")
    assert 12_900 < cache.ttl(key) <= 12_960
    assert USER.encode() not in key


def test_a_token_that_expires_at_once(
    simulator: Simulator, account: Account, cache: redis.Redis
) -> None:
    """Even a token that expires at once is stored, to limit sign-ins."""
    simulator.order("token_expiry", value=1)
    assert account.token() == account.token()
    assert 1 == simulator.tally.sign_ins
    assert 0 < cache.ttl(cache.keys("tradingview:token:*")[0]) <= 60


def test_a_token_without_an_expiry(cache: redis.Redis) -> None:
    """A token without an expiry is stored for an hour."""
    with website(200, '{"error":"","user":{"auth_token":"opaque"}}') as url:
        assert "opaque" == Account(url, USER, PASSWORD, "", cache).token()
    assert 3500 < cache.ttl(cache.keys("tradingview:token:*")[0]) <= 3600


def test_forgetting_a_token(simulator: Simulator, account: Account) -> None:
    """A refused token is deleted for all workers, unless it was replaced meanwhile."""
    token = account.token()
    account.forget("an older one")
    assert token == account.token()
    account.forget(token)
    account.token()
    assert 2 == simulator.tally.sign_ins


@pytest.mark.parametrize(
    ("fault", "expected", "words"),
    [
        ("captcha", CaptchaRequired, "set TRADINGVIEW_TOKEN"),
        ("two_factor", TwoFactorRequired, "set TRADINGVIEW_TOKEN"),
        ("wrong_password", SignInFailed, "refused TRADINGVIEW_USERNAME and"),
    ],
)
def test_refusals(
    simulator: Simulator,
    account: Account,
    cache: redis.Redis,
    fault: str,
    expected: type[PocketQuantError],
    words: str,
) -> None:
    """The error of a refused sign-in says what to do, and no worker retries within a minute."""
    simulator.order(fault, times=1)

    def refusal(_: int) -> PocketQuantError:
        with pytest.raises(PocketQuantError, match=words) as raised:
            account.token()
        return raised.value

    with ThreadPoolExecutor(16) as threads:
        assert {expected} == {type(error) for error in threads.map(refusal, range(16))}
    assert 1 == simulator.tally.sign_ins
    (key,) = cache.keys("tradingview:refusal:*")
    assert (expected.code.encode(), True) == (cache.get(key), 0 < cache.ttl(key) <= 60)
    cache.delete(key)
    assert account.token()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, "", RateLimited),
        (500, "<html>", ProviderFault),
        (503, '{"error":"try later"}', ProviderFault),
        (200, "<html>captcha</html>", ProviderFault),
        (200, "[]", ProviderFault),
        (200, "{}", ProviderFault),
        (200, '{"error":"","user":{"auth_token":""}}', ProviderFault),
        (200, '{"error":"Please confirm the captcha"}', CaptchaRequired),
        (403, '{"error":"Your account is locked"}', SignInFailed),
    ],
)
def test_other_answers(
    cache: redis.Redis, status: int, body: str, expected: type[PocketQuantError]
) -> None:
    """Every other answer raises the error that says what can be done."""
    with website(status, body) as url, pytest.raises(expected) as raised:
        Account(url, USER, PASSWORD, "", cache).token()
    assert expected is type(raised.value)


def test_the_captured_captcha(cache: redis.Redis, wire: Path) -> None:
    """The captured answer of the real site is recognised as a captcha."""
    body = (wire / "http_signin_captcha.txt").read_text()
    with website(200, body) as url, pytest.raises(CaptchaRequired):
        Account(url, USER, PASSWORD, "", cache).token()


def test_the_site_is_unreachable(cache: redis.Redis) -> None:
    """After a failed connection, the next request tries again."""
    with pytest.raises(ConnectionLost):
        Account(NOBODY, USER, PASSWORD, "", cache).token()
    assert [] == cache.keys("tradingview:*")


def test_a_worker_that_died_while_signing_in(
    simulator: Simulator, account: Account, cache: redis.Redis
) -> None:
    """The lock of a dead worker expires, and another signs in."""
    account.token()
    (key,) = cache.keys("tradingview:token:*")
    cache.delete(key)
    cache.set(key.replace(b":token:", b":sign-in:"), "dead", px=300)
    account.token()
    assert 2 == simulator.tally.sign_ins


def test_a_worker_whose_sign_in_takes_long(simulator: Simulator, cache: redis.Redis) -> None:
    """The wait for another worker's sign-in ends in time, without a second sign-in."""
    account = Account(simulator.http_url, USER, PASSWORD, "", cache)
    account.token()
    (key,) = cache.keys("tradingview:token:*")
    cache.delete(key)
    cache.set(key.replace(b":token:", b":sign-in:"), "alive")
    with pytest.raises(ProviderTimeout, match="another worker's sign-in"):
        Account(simulator.http_url, USER, PASSWORD, "", cache, wait_seconds=0.3).token()
    assert 1 == simulator.tally.sign_ins


def test_redis_is_unreachable(simulator: Simulator) -> None:
    """The error is Redis's own, for the caller to translate."""
    away = redis.Redis(port=1)
    with pytest.raises(redis.ConnectionError):
        Account(simulator.http_url, USER, PASSWORD, "", away).token()


@pytest.mark.parametrize("fault", ["captcha", "two_factor", "wrong_password", None])
def test_nothing_leaks(
    simulator: Simulator,
    account: Account,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    fault: str | None,
) -> None:
    """Neither token nor password appears in errors, tracebacks, logs or output."""
    caplog.set_level(logging.DEBUG)
    error_text = ""
    if fault is None:
        token = account.token()
    else:
        simulator.order(fault)
        token = PASSWORD
        with pytest.raises(PocketQuantError) as raised:
            account.token()
        error_text = "".join(traceback.format_exception(raised.value))
    output = "".join(
        [error_text, caplog.text, *capfd.readouterr(), repr(account), str(vars(type(account)))]
    )
    assert token not in output
    assert PASSWORD not in output


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (ANONYMOUS, NO_PLAN),
        (tokens.issue(1, 0), AccountPlan("pro_premium", 20_000, 50)),
        ("no.token.at-all", AccountPlan("")),
        ("a.eyJwbGFuIjo1LCJtYXhfY29ubmVjdGlvbnMiOiJtYW55In0.b", AccountPlan("5")),
    ],
)
def test_the_plan_of_a_token(token: str, expected: AccountPlan) -> None:
    """The plan and its limit of connections are read from the token, if it has them."""
    assert expected == plan_of(token)
