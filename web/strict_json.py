"""JSON by the letter, read in one pass: what readers understand differently is refused."""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_SHOWN = 40


def decode(body: bytes) -> Any:
    """The value; ValueError for another encoding than UTF-8, a name that an object has twice, NaN,
    a number without end, half a surrogate pair; RecursionError for endless nesting.
    """
    text = body.decode()
    value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=_finite)
    if _ESCAPED_SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two values is meant is anybody's guess, and readers guess differently."""
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
