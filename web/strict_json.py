"""Strict JSON: documents that parsers read differently are refused."""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_SHOWN = 40


def decode(body: bytes) -> Any:
    """Return the value of a JSON document.

    Raise ValueError for an encoding other than UTF-8, a repeated name in an object, NaN, an
    infinite number or half a surrogate pair; RecursionError for too deep nesting.
    """
    text = body.decode()
    value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=_finite)
    if _ESCAPED_SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object; refuse a repeated name, for which parsers choose different values."""
    found = dict(pairs)
    if len(found) < len(pairs):
        ((repeated, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the name {repeated[:_LONGEST_SHOWN]!r} is there twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:_LONGEST_SHOWN]} is too large")
    return number
