"""What must never be read in a log, a report or a page, and `Redactor`, which strikes it out.

Known secrets are struck wherever they stand and however they are quoted; unknown ones where their
surroundings give them away: after `user:` in a URL, in options called password, in keys of the API.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from pydantic import SecretStr

from pocketquant.settings import KNOWN_PASSWORDS, Settings

STRUCK = "…"

_SHORTEST = 4  # a shorter one would strike out half of every sentence
_SECRET_OPTION = r"[\w.-]*(?:pass|token|secret|mechanismproperties|api_?key)[\w.-]*"  # noqa: S105
# Each with what a text must hold to be looked at: most log lines hold none of it.
_LOOKS_SECRET = (
    ("://", re.compile(r"(\w://)[^/\s]*@"), rf"\1{STRUCK}@"),
    ("=", re.compile(rf"([?&;]{_SECRET_OPTION}=)[^&;\s\"'<>]+", re.IGNORECASE), rf"\1{STRUCK}"),
    ("pq_", re.compile(r"(pq_[0-9a-f]{12}_)[\w-]+"), rf"\1{STRUCK}"),
)
_USER_INFO = re.compile(r"://([^;\s]*)@")
_OPTION = re.compile(rf"[?&;]{_SECRET_OPTION}=([^&;\s]+)", re.IGNORECASE)
_SPOILERS = re.compile(r"[/?#@:]")  # what unquoted cuts a password in two, for whoever reads a URL


class Redactor:
    """Strikes out secrets: from text, and from whatever a log line holds."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._known:
            text = self._known.sub(STRUCK, text)
        for sign, pattern, instead in _LOOKS_SECRET:
            if sign in text:
                text = pattern.sub(instead, text)
        return text

    def value(self, value: object) -> object:
        """The same of a value that will be shown: text, collections, anything with a repr."""
        if isinstance(value, str):
            return self(value)
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, dict):
            return {key: self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        shown = repr(value)
        struck = self(shown)
        return value if struck == shown else struck


def redactor_for(settings: Settings) -> Redactor:
    """A redactor that knows the secrets of these settings; what everybody knows is none."""
    return Redactor(_secrets_of(settings))


def _secrets_of(settings: Settings) -> Iterator[str]:
    for _, value in settings:
        if isinstance(value, SecretStr):
            if value.get_secret_value() not in KNOWN_PASSWORDS:
                yield value.get_secret_value()
        elif isinstance(value, str) and "://" in value:
            yield from _secrets_in_url(value)


def _secrets_in_url(url: str) -> Iterator[str]:
    """Passwords, and the pieces of one that should have been quoted and wasn't."""
    yield from _OPTION.findall(url)
    for user_info in _USER_INFO.findall(url):
        password = user_info.partition(":")[2]
        yield password
        yield from _SPOILERS.split(password)


def _forms(secret: str) -> set[str]:
    """How a secret may be written: as it is, in a URL, in JSON, in Python."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    quoted = {form for one in plain for form in (quote(one, safe=""), quote(one), quote_plus(one))}
    literals = {json.dumps(one)[1:-1] for one in plain} | {repr(one)[1:-1] for one in plain}
    return plain | quoted | literals
