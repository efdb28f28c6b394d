"""Encoded answers as they are kept: with their tag, whole or compressed, and how they are sent.

An answer is kept without its forming bar, which is another each moment; tag and compression are
made once for all that is before it. The end of a compressed answer is compressed when it leaves:
after a full flush, deflate begins anew, so both parts are one stream.
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

COMPRESSED_FROM_BYTES = 1024
DOCUMENTED: tuple[dict[str, Any], ...] = (
    {
        "in": "header",
        "name": "If-None-Match",
        "required": False,
        "description": "the `ETag` of an answer that is known: 304 where it still holds",
        "example": 'W/"0123456789abcdef01-89abcdef"',
        "schema": {"type": "string"},
    },
    {
        "in": "header",
        "name": "Accept-Encoding",
        "required": False,
        "description": "with `gzip` in it JSON may come compressed",
        "example": "gzip",
        "schema": {"type": "string"},
    },
)

_LEVEL = 1
_RAW = -15
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The encoded document up to its forming bar, and the forming bar of the last sync.

    That one is told before `forming_until`, in epoch seconds; then it has ended.
    """

    tag: str
    next_cursor: str | None
    head: bytes  # deflated, where `size` is not 0
    forming: bytes
    size: int = 0
    check: int = 0
    forming_until: int = 0

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.head) + len(self.forming)

    def packed(self) -> bytes:
        return msgspec.msgpack.encode(self)


def answer_of(body: bytes, next_cursor: str | None, forming_until: int = 0) -> Answer:
    """The answer to keep."""
    head, forming = split_forming(body)
    tag = hashlib.sha256(head).hexdigest()[:18]
    return Answer(tag, next_cursor, head, forming, forming_until=forming_until)


def unpack(packed: bytes) -> Answer:
    """What `packed` gave."""
    return msgspec.msgpack.decode(packed, type=Answer)


def compress(answer: Answer) -> Answer:
    """The same, compressed up to its forming bar."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    head = deflate.compress(answer.head) + deflate.flush(zlib.Z_FULL_FLUSH)
    size, check = len(answer.head), zlib.crc32(answer.head)
    return msgspec.structs.replace(answer, head=head, size=size, check=check)


def wants_gzip() -> bool:
    """Whether the caller can read gzip."""
    return _accepts_gzip(current_request().environ.get("HTTP_ACCEPT_ENCODING", ""))


def respond(answer: Answer, live_forming: bytes | None, now: float) -> Response:
    """The answer with its forming bar: whole, compressed, or 304 where it is known.

    That is the live one, else that of the last sync until it has ended. The tag is weak: it says
    the same of both encodings.
    """
    own = answer.forming if now < answer.forming_until else NO_FORMING
    forming = own if live_forming is None else live_forming
    tag = f"{answer.tag}-{zlib.crc32(forming):08x}"
    headers = {"ETag": f'W/"{tag}"', "Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
    if answer.next_cursor:
        headers["X-Next-Cursor"] = answer.next_cursor
    known = current_request().environ.get("HTTP_IF_NONE_MATCH")
    if known and parse_etags(known).contains_weak(tag):
        return Response(status=304, headers=headers)
    end = forming_field(forming)
    if not answer.size:
        return Response(answer.head + end, headers=headers, content_type="application/json")
    headers["Content-Encoding"] = "gzip"
    return Response(_gzip(answer, end), headers=headers, content_type="application/json")


@lru_cache(256)  # browsers and libraries send few different ones
def _accepts_gzip(header: str) -> bool:
    return parse_accept_header(header, Accept)["gzip"] > 0


def _gzip(answer: Answer, end: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    tail = deflate.compress(end) + deflate.flush()
    check, size = zlib.crc32(end, answer.check), answer.size + len(end)
    sums = check.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
    return b"".join((_GZIP_HEAD, answer.head, tail, sums))
