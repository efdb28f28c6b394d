"""JSON by the letter."""

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
    # beyond 64 bits orjson makes a float of a whole number
    | st.integers(-(2**63), 2**64 - 1),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values, st.booleans())
def test_what_is_json_is_read_as_another_reader_reads_it(value: Any, is_ascii: bool) -> None:
    """Whether characters are escaped or not."""
    body = json.dumps(value, ensure_ascii=is_ascii).encode()
    assert orjson.loads(body) == decode(body)


@pytest.mark.parametrize(
    ("body", "said"),
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
def test_what_readers_read_differently_is_refused(body: bytes, said: str) -> None:
    """With what is wrong."""
    with pytest.raises(ValueError, match=said):
        decode(body)


def test_a_surrogate_pair_is_one_character() -> None:
    """Escaped, as JSON has to."""
    assert "\N{GRINNING FACE}" == decode(b'"\\ud83d\\ude00"')


def test_endless_nesting_is_refused() -> None:
    """By an error that names it."""
    with pytest.raises(RecursionError):
        decode(b"[" * 100_000)


@pytest.mark.timeout(60)  # a comparison of each name with each would take far longer
def test_names_without_end_are_compared_in_one_go() -> None:
    """The one that is there twice is found among a quarter of a million."""
    names = b",".join(b'"%d":1' % number for number in range(250_000))
    with pytest.raises(ValueError, match="the name '249999' is there twice"):
        decode(b'{%b,"249999":2}' % names)
