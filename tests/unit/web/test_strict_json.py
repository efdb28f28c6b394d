"""Strict JSON."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.strict_json import decode

values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    # orjson reads whole numbers beyond 64 bits as floats
    | st.integers(-(2**63), 2**64 - 1),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values, st.booleans())
def test_valid_json_is_read_as_another_parser_reads_it(value: Any, is_ascii: bool) -> None:
    """Characters may be escaped or not."""
    body = json.dumps(value, ensure_ascii=is_ascii).encode()
    assert orjson.loads(body) == decode(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting"),
        (b"{'a': 1}", "Expecting"),
        (b"[1.]", "Expecting"),
        (b"[01]", "Expecting"),
        (b'["\x01"]', "control character"),
        (b"{} {}", "Extra data"),
        (b"\xff", "utf-8"),
        (b'"\xed\xa0\x80"', "utf-8"),
        ("{}".encode("utf-16"), "utf-8"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'"\\ud800"', "surrogates"),
        (b'{"\\uDFFF": 1}', "surrogates"),
        (b"[NaN]", "NaN is no number"),
        (b"Infinity", "Infinity is no number"),
        (b'{"a": -Infinity}', "-Infinity is no number"),
        (b"1e999", "1e999 is too large"),
        (b"9" * 5000, "limit"),
        (b'{"a": 1, "b": 2, "a": 1}', "the name 'a' is there twice"),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', "the name 'a' is there twice"),
    ],
)
def test_json_that_parsers_read_differently_is_refused(body: bytes, message: str) -> None:
    """The error says what is wrong."""
    with pytest.raises(ValueError, match=message):
        decode(body)


def test_a_surrogate_pair_is_one_character() -> None:
    """JSON escapes characters beyond the basic plane as a pair."""
    assert "\N{GRINNING FACE}" == decode(b'"\\ud83d\\ude00"')


def test_too_deep_nesting_is_refused() -> None:
    """It raises RecursionError."""
    with pytest.raises(RecursionError):
        decode(b"[" * 100_000)


@pytest.mark.timeout(60)  # a comparison of each name with each would take far longer
def test_a_repeated_name_is_found_in_linear_time() -> None:
    """One repeated name is found among a quarter of a million."""
    names = b",".join(b'"%d":1' % number for number in range(250_000))
    with pytest.raises(ValueError, match="the name '249999' is there twice"):
        decode(b'{%b,"249999":2}' % names)
