"""Encoded answers: how they are kept, with a tag, whole or compressed, and how they are sent.

An answer is kept without its forming bar, which changes all the time; tag and compression are made
once for everything before it. The end of a compressed answer is compressed when it is sent: after a
full flush deflate starts afresh, so both parts are one stream.
"""

import hashlib
import zlib
from functools import lru_cache
from typing import Any

import msgspec
from flask import Response
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header, parse_etags

from web.current import current_request
from web.encoding import NO_FORMING, forming_field, split_forming
from web.times import UTC_TIMES

COMPRESSED_FROM_BYTES = 1024
DOCUMENTED: tuple[dict[str, Any], ...] = (
    {
        "in": "header",
        "name": "If-None-Match",
        "required": False,
        "description": "the `ETag` of an earlier answer: 304 if it is still the answer",
        "example": 'W/"0123456789abcdef01-89abcdef"',
        "schema": {"type": "string"},
    },
    {
        "in": "header",
        "name": "Accept-Encoding",
        "required": False,
        "description": "if it includes `gzip`, JSON may be compressed",
        "example": "gzip",
        "schema": {"type": "string"},
    },
)

_LEVEL = 1
_RAW = -15
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The encoded document up to its forming bar, and the forming bar of the last sync.

    The forming bar ends at `forming_until`, in epoch seconds, and is left out from then on. Times
    are in `zone`.
    """

    tag: str
    next_cursor: str | None
    head: bytes  # deflated, where `size` is not 0
    forming: bytes
    size: int = 0
    check: int = 0
    forming_until: int = 0
    zone: str = UTC_TIMES.zone_name

    @property
    def weight(self) -> int:
        """Return its bytes of memory, roughly."""
        return len(self.head) + len(self.forming)

    def packed(self) -> bytes:
        return msgspec.msgpack.encode(self)


def answer_of(
    body: bytes,
    next_cursor: str | None,
    forming_until: int = 0,
    zone: str = UTC_TIMES.zone_name,
) -> Answer:
    """Return the answer to keep for an encoded document."""
    head, forming = split_forming(body)
    tag = hashlib.sha256(head).hexdigest()[:18]
    return Answer(tag, next_cursor, head, forming, forming_until=forming_until, zone=zone)


def with_field(answer: Answer, name: str, document: str) -> Answer:
    """Return an uncompressed answer with one more field before its forming bar."""
    head = b'%b,"%b":%b' % (answer.head, name.encode(), document.encode())
    tag = hashlib.sha256(head).hexdigest()[:18]
    return msgspec.structs.replace(answer, tag=tag, head=head)


def unpack(packed: bytes) -> Answer:
    """Return the answer that `packed` encoded."""
    return msgspec.msgpack.decode(packed, type=Answer)


def compress(answer: Answer) -> Answer:
    """Return the answer with everything before its forming bar compressed."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    head = deflate.compress(answer.head) + deflate.flush(zlib.Z_FULL_FLUSH)
    size, check = len(answer.head), zlib.crc32(answer.head)
    return msgspec.structs.replace(answer, head=head, size=size, check=check)


def wants_gzip() -> bool:
    """Return whether the caller accepts gzip."""
    return accepts_gzip(current_request().headers.get("Accept-Encoding", ""))


def respond(answer: Answer, live_forming: bytes | None, now: float) -> Response:
    """Return the answer with its forming bar: whole, compressed, or 304 if the caller has it.

    The forming bar is the live one, else the one of the last sync until it ends. The tag is weak,
    since both encodings have the same.
    """
    own = answer.forming if now < answer.forming_until else NO_FORMING
    forming = own if live_forming is None else live_forming
    tag = f"{answer.tag}-{zlib.crc32(forming):08x}"
    headers = {"ETag": f'W/"{tag}"', "Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
    if answer.next_cursor:
        headers["X-Next-Cursor"] = answer.next_cursor
    known = current_request().headers.get("If-None-Match")
    if known and parse_etags(known).contains_weak(tag):
        return Response(status=304, headers=headers)
    end = forming_field(forming)
    if not answer.size:
        return Response(answer.head + end, headers=headers, content_type="application/json")
    headers["Content-Encoding"] = "gzip"
    return Response(_gzip(answer, end), headers=headers, content_type="application/json")


@lru_cache(256)  # browsers and libraries send few different ones
def accepts_gzip(header: str) -> bool:
    """Return whether a caller with this `Accept-Encoding` accepts gzip."""
    return parse_accept_header(header, Accept)["gzip"] > 0


def _gzip(answer: Answer, end: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    tail = deflate.compress(end) + deflate.flush()
    check, size = zlib.crc32(end, answer.check), answer.size + len(end)
    sums = check.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
    return b"".join((_GZIP_HEAD, answer.head, tail, sums))
