"""The frame decoder returns what was encoded, however the connection splits the text."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketquant.domain.errors import ProtocolViolation
from pocketquant.tradingview.frames import FrameDecoder, encode, is_heartbeat

PAYLOADS = st.one_of(
    st.text(),
    st.text(alphabet="~m5h{}é😀", max_size=30),
    st.integers(0, 99).map(lambda number: f"~h~{number}"),
    st.dictionaries(st.text(max_size=5), st.text(max_size=9)).map(
        lambda value: json.dumps(value, ensure_ascii=False)
    ),
)
OBJECTS = st.dictionaries(st.text(max_size=5), st.text(max_size=9), min_size=1).map(
    lambda value: json.dumps(value, ensure_ascii=False)
)

SCRAPS = st.sampled_from(
    ["~m~", "~m~3~m~", "~m~9~m~ab", "~m~03~m~abc", "~m~+3~m~abc", "~m~3~m~~m~", "~m~0~m~", "~", "3"]
)
PIECES = st.one_of(SCRAPS, st.text(st.characters(codec="ascii"), max_size=12).map(encode))


@settings(deadline=None)
@given(st.lists(PAYLOADS), st.data())
def test_split_frames_are_decoded(payloads: list[str], data: st.DataObject) -> None:
    """Frames joined and split anywhere, even inside a marker, decode to the payloads sent."""
    text = "".join(encode(payload) for payload in payloads)
    decoder = FrameDecoder()
    received = [payload for piece in cut(text, data) for payload in decoder.feed(piece)]
    assert payloads == received


@settings(deadline=None)
@given(st.lists(PAYLOADS, max_size=4))
def test_one_character_at_a_time(payloads: list[str]) -> None:
    """A payload is returned with the character that completes it, not later."""
    decoder = FrameDecoder()
    received: list[str] = []
    for count, payload in enumerate(payloads, start=1):
        for character in encode(payload):
            received += decoder.feed(character)
        assert payloads[:count] == received


@settings(deadline=None)
@given(st.lists(OBJECTS, min_size=1), st.data())
def test_lengths_in_bytes(payloads: list[str], data: st.DataObject) -> None:
    """JSON objects framed by their length in UTF-8 bytes are decoded, however they are split."""
    text = "".join(in_bytes(payload) for payload in payloads)
    decoder = FrameDecoder()
    received = [payload for piece in cut(text, data) for payload in decoder.feed(piece)]
    assert payloads == received


@given(st.lists(PIECES), st.sampled_from([5, 9, 99]))
def test_joined_texts_decode_as_separate_ones(pieces: list[str], limit: int) -> None:
    """Complete, incomplete and invalid frames decode equally in one text and in several."""
    assert outcome(["".join(pieces)], limit) == outcome(pieces, limit)


def test_the_length_counts_utf16_units() -> None:
    """The length equals JavaScript's `length`: a character beyond 16 bits counts two."""
    assert ["~m~2~m~ab", "~m~1~m~é", "~m~3~m~😀x"] == [encode("ab"), encode("é"), encode("😀x")]


def test_a_payload_may_hold_a_marker() -> None:
    """A frame marker inside a payload is part of the payload."""
    payload = '{"m":"~m~5~m~hello~m~2~m~"}'
    assert [payload, "x"] == FrameDecoder().feed(encode(payload) + encode("x"))


def test_bytes_without_json() -> None:
    """A length in bytes is accepted for other payloads too, once the next frame shows the end."""
    assert ["éé", "x"] == FrameDecoder().feed("~m~4~m~éé" + encode("x"))


def test_bytes_that_would_cut_a_character() -> None:
    """A length that ends inside a character's bytes must count UTF-16 units."""
    assert ["aé", "x"] == FrameDecoder().feed("~m~2~m~aé" + encode("x"))


def test_units_that_would_cut_a_character() -> None:
    """A length that ends between the halves of a surrogate pair must count bytes."""
    assert ["é", "x"] == FrameDecoder().feed("~m~2~m~é" + encode("x"))
    with pytest.raises(ProtocolViolation, match="does not end after 2"):
        FrameDecoder().feed("~m~2~m~a😀")


def test_many_small_pieces_cost_no_more_than_one() -> None:
    """A large frame that arrives byte by byte is decoded in time proportional to its size."""
    payload = "é" + "x" * 300_000
    decoder = FrameDecoder()
    received = [found for character in encode(payload) for found in decoder.feed(character)]
    assert [payload] == received


@pytest.mark.parametrize(
    "text",
    ["x", "{}", "~h~1", "~m~x~m~", "~m~-1~m~", "~m~5~n~", "~m~1234567890", "~m~5~m~abcdefgh"],
)
def test_text_that_begins_no_frame(text: str) -> None:
    """Text that does not begin a frame is refused."""
    with pytest.raises(ProtocolViolation, match="no frame begins at"):
        FrameDecoder().feed(text)


@pytest.mark.parametrize("text", ["", "~", "~m", "~m~", "~m~5", "~m~5~", "~m~5~m", "~m~5~m~abcd"])
def test_an_incomplete_frame(text: str) -> None:
    """Text that may become a frame is buffered until more arrives."""
    assert [] == FrameDecoder().feed(text)


def test_between_two_frames_or_amid_one() -> None:
    """The decoder says whether the text so far ends within a frame."""
    decoder = FrameDecoder()
    assert not decoder.is_amid_frame
    decoder.feed(encode("a") + "~m~3~m~b")
    assert decoder.is_amid_frame
    assert ["bcd"] == decoder.feed("cd")
    assert not decoder.is_amid_frame


def test_a_length_that_fits_neither_way() -> None:
    """A frame whose length ends at no frame in units or bytes is refused."""
    with pytest.raises(ProtocolViolation, match="does not end after 3"):
        FrameDecoder().feed("~m~3~m~éxyz")


def test_a_frame_over_the_limit() -> None:
    """A frame over the limit is refused by its header, before its payload arrives."""
    with pytest.raises(ProtocolViolation, match="a frame of 11 is over 10 bytes"):
        FrameDecoder(max_frame_bytes=10).feed("~m~11~m~")
    assert ["x" * 10] == FrameDecoder(max_frame_bytes=10).feed(encode("x" * 10))


def test_heartbeats() -> None:
    """A payload is a heartbeat if it begins with `~h~`."""
    assert [True, False] == [is_heartbeat("~h~12"), is_heartbeat('{"m":"~h~1"}')]


def test_captured_texts(wire: Path) -> None:
    """Each captured text decodes completely, and encoding its payloads restores it."""
    texts = [path.read_text() for path in sorted(wire.glob("*.txt"))]
    framed = [text for text in texts if text.startswith("~m~")]
    assert framed
    assert framed == ["".join(map(encode, FrameDecoder().feed(text))) for text in framed]


def outcome(texts: list[str], max_frame_bytes: int) -> list[str]:
    """Return the decoded payloads, and the beginning of the error if one ends the decoding."""
    decoder = FrameDecoder(max_frame_bytes)
    received: list[str] = []
    try:
        for text in texts:
            received += decoder.feed(text)
    except ProtocolViolation as error:
        return [str(error)[:12]]
    return received


def cut(text: str, data: st.DataObject) -> list[str]:
    """Split the text into pieces, some of them empty."""
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))
    return [text[start:end] for start, end in itertools.pairwise([0, *cuts, len(text)])]


def in_bytes(payload: str) -> str:
    """Frame the payload as a server that counts bytes does."""
    return f"~m~{len(payload.encode())}~m~{payload}"
