"""Auth tokens like TradingView's: JSON web tokens that are valid for four hours."""

import base64
import hashlib
import hmac
import json

VALID_SECONDS = 4 * 60 * 60
ANONYMOUS = frozenset({"unauthorized_user_token", "widget_user_token"})

_SECRET = b"the simulator keeps no secrets, and any simulator takes another's tokens"


def issue(user_id: int, now: int, valid_seconds: float = VALID_SECONDS) -> str:
    """Return a token for a user who has just signed in."""
    claims = {
        "user_id": user_id,
        "exp": int(now + valid_seconds),
        "iat": now,
        "plan": "pro_premium",
        "perm": "",
        "ext_hours": 1,
        "max_studies": 25,
        "max_charts": 8,
        "max_connections": 50,
    }
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    return f"{signed}.{_signature(signed)}"


def is_good(token: str, now: int) -> bool:
    """Return whether a simulator issued the token and it has not expired."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(signed).encode()):
        return False
    claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    return bool(now < claims["exp"])


def _encoded(value: dict[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _signature(text: str) -> str:
    return _base64(hmac.new(_SECRET, text.encode(), hashlib.sha256).digest())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
