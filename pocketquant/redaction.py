"""`Redactor`: strikes secrets out of logs, reports and pages.

Known secrets are struck out everywhere, however they are quoted. Unknown ones are struck out where
the text around them marks them: after `user:` in a URL, in options called password, in API keys.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from pydantic import SecretStr

from pocketquant.settings import KNOWN_PASSWORDS, Settings

STRUCK = "…"

_SHORTEST = 4  # a shorter secret occurs in many ordinary words
_SECRET_OPTION = r"[\w.-]*(?:pass|token|secret|mechanismproperties|api_?key)[\w.-]*"  # noqa: S105
# Each with a text that must occur before the pattern is tried: most log lines have none of them.
_LOOKS_SECRET = (
    ("://", re.compile(r"(\w://)[^/\s]*@"), rf"\1{STRUCK}@"),
    ("=", re.compile(rf"([?&;]{_SECRET_OPTION}=)[^&;\s\"'<>]+", re.IGNORECASE), rf"\1{STRUCK}"),
    ("pq_", re.compile(r"(pq_[0-9a-f]{12}_)[\w-]+"), rf"\1{STRUCK}"),
)
_USER_INFO = re.compile(r"://([^;\s]*)@")
_OPTION = re.compile(rf"[?&;]{_SECRET_OPTION}=([^&;\s]+)", re.IGNORECASE)
_DELIMITERS = re.compile(r"[/?#@:]")  # unquoted in a password, they cut it in two in a URL


class Redactor:
    """Strikes secrets out of texts, and of any value in a log line."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known:
            text = self._known.sub(STRUCK, text)
        for sign, pattern, instead in _LOOKS_SECRET:
            if sign in text:
                text = pattern.sub(instead, text)
        return text

    def value(self, value: object) -> object:
        """Return a value to log without secrets: a text, a collection, or anything with a repr."""
        if isinstance(value, str):
            return self(value)
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, dict):
            return {key: self.value(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        text = repr(value)
        redacted = self(text)
        return value if redacted == text else redacted


def redactor_for(settings: Settings) -> Redactor:
    """Return a redactor for the secrets of these settings; published defaults are no secrets."""
    return Redactor(_secrets_of(settings))


def _secrets_of(settings: Settings) -> Iterator[str]:
    for _, value in settings:
        if isinstance(value, SecretStr):
            if value.get_secret_value() not in KNOWN_PASSWORDS:
                yield value.get_secret_value()
        elif isinstance(value, str) and "://" in value:
            yield from _secrets_in_url(value)


def _secrets_in_url(url: str) -> Iterator[str]:
    """Yield passwords, and the parts of a password that should have been quoted and is not."""
    yield from _OPTION.findall(url)
    for user_info in _USER_INFO.findall(url):
        password = user_info.partition(":")[2]
        yield password
        yield from _DELIMITERS.split(password)


def _forms(secret: str) -> set[str]:
    """Return the secret as written plainly, in a URL, in JSON, and in Python."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    quoted = {
        form for each in plain for form in (quote(each, safe=""), quote(each), quote_plus(each))
    }
    literals = {json.dumps(each)[1:-1] for each in plain} | {repr(each)[1:-1] for each in plain}
    return plain | quoted | literals
