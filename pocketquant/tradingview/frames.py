"""TradingView's framing: a WebSocket text holds one or more frames `~m~LENGTH~m~PAYLOAD`.

LENGTH counts UTF-16 code units, as JavaScript does. The decoder also accepts lengths in UTF-8
bytes; the two differ only for a payload that is not ASCII.
"""

import re
from typing import NamedTuple

import msgspec

from pocketquant.domain.errors import ProtocolViolation

MAX_FRAME_BYTES = 64 * 1024 * 1024

_HEARTBEAT = "~h~"
_MARKER = "~m~"
_HEADER = re.compile(r"~m~([0-9]{1,9})~m~")
_HEADER_CUT_SHORT = re.compile(r"(?:~(?:m(?:~(?:[0-9]{1,9}(?:~m?)?)?)?)?)?\Z")


def encode(payload: str) -> str:
    """Return the payload as one frame."""
    return f"~m~{len(payload) if payload.isascii() else _utf16_units(payload)}~m~{payload}"


def is_heartbeat(payload: str) -> bool:
    """Return whether the payload is a heartbeat (`~h~N`), which the client must send back."""
    return payload.startswith(_HEARTBEAT)


class FrameDecoder:
    """Splits received text into payloads; a frame may span several texts.

    The decoder buffers an incomplete frame of at most `max_frame_bytes`. After a
    `ProtocolViolation`, discard the decoder and close the connection.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._pieces: list[str] = []
        self._bytes = 0
        self._needed_bytes = 1

    @property
    def is_amid_frame(self) -> bool:
        """Whether the text so far ends within a frame."""
        return self._bytes > 0

    def feed(self, text: str) -> list[str]:
        """Return the payloads that `text` completes, in order.

        Buffered pieces are joined only once they hold enough bytes to decode more, so that many
        small pieces cost no more than one large text.
        """
        if self._bytes == 0 and len(text) <= self._max_frame_bytes:
            payloads = _read_whole_frames(text)
            if payloads is not None:
                return payloads
        self._pieces.append(text)
        self._bytes += _utf8_bytes(text)
        if self._bytes < self._needed_bytes:
            return []
        joined = "".join(self._pieces)
        payloads = []
        start = 0
        while isinstance(frame := self._read(joined, start), _Frame):
            payloads.append(frame.payload)
            start = frame.end
        rest = joined[start:]
        self._pieces = [rest]
        self._bytes = _utf8_bytes(rest)
        self._needed_bytes = self._bytes + frame
        return payloads

    def _read(self, text: str, start: int) -> "_Frame | int":
        """Return the frame at `start`, or the fewest bytes that must still come to complete it."""
        header = _HEADER.match(text, start)
        if header is None:
            if _HEADER_CUT_SHORT.match(text, start):
                return 1
            raise ProtocolViolation(f"no frame begins at {text[start : start + 40]!r}")
        length = int(header[1])
        if length > self._max_frame_bytes:
            raise ProtocolViolation(f"a frame of {length} is over {self._max_frame_bytes} bytes")
        payload = text[header.end() : header.end() + length]
        if not payload.isascii():
            return _read_ambiguous(text, header.end(), length)
        if len(payload) < length:
            return length - len(payload)
        return _Frame(payload, header.end() + length)


class _Frame(NamedTuple):
    payload: str
    end: int


def _read_whole_frames(text: str) -> list[str] | None:
    """Return the payloads of an ASCII text of complete frames, as nearly all are; otherwise None.

    None also if a payload contains `~m~` or a length has leading zeros.
    """
    if not text.isascii():
        return None
    parts = text.split(_MARKER)
    payloads = parts[2::2]
    if parts[0] or parts[1::2] != [str(len(payload)) for payload in payloads]:
        return None
    return payloads


def _read_ambiguous(text: str, start: int, length: int) -> _Frame | int:
    """Read a payload that is not ASCII: its length may count UTF-8 bytes or UTF-16 units.

    Counted in bytes, the payload is shorter. No prefix of a JSON object is itself a JSON object,
    so a JSON object of that length is the payload. Otherwise the length counts units, if the text
    ends there or another frame begins.
    """
    by_bytes = _cut(text, start, length, "utf-8", 1)
    if isinstance(by_bytes, int):
        return by_bytes
    if by_bytes and _is_json_object(by_bytes.payload):
        return by_bytes
    by_units = _cut(text, start, length, "utf-16-le", 2)
    if isinstance(by_units, int):
        return by_units
    for frame in (by_units, by_bytes):
        if frame and _may_end_at(text, frame.end):
            return frame
    raise ProtocolViolation(f"a frame does not end after {length} units or bytes")


def _cut(text: str, start: int, length: int, codec: str, width: int) -> _Frame | int | None:
    """Return the first `length` units, or how many are missing; None if that splits a character."""
    encoded = text[start : start + length].encode(codec, "surrogatepass")
    if len(encoded) < length * width:
        return length - len(encoded) // width
    try:
        payload = encoded[: length * width].decode(codec)
    except UnicodeDecodeError:
        return None
    return _Frame(payload, start + len(payload))


def _may_end_at(text: str, end: int) -> bool:
    return bool(_HEADER.match(text, end) or _HEADER_CUT_SHORT.match(text, end))


def _is_json_object(payload: str) -> bool:
    try:
        msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return False
    return True


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
