"""Cursors: the time in a range at which the next page begins.

As a cursor is a time, bars that are added meanwhile neither shift it nor appear twice. It carries a
checksum of its query.
"""

import base64
import binascii
import struct
import zlib

from pocketquant.domain.errors import InvalidRequest

_VERSION = 1
_SHAPE = struct.Struct(">BqI")


def encode_cursor(time: int, query: str) -> str:
    """Return the cursor of the page that begins at `time`, or newest first: ends before it."""
    packed = _SHAPE.pack(_VERSION, time, zlib.crc32(query.encode()))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(cursor: str, query: str) -> int:
    """Return the time of a cursor; raise InvalidRequest if it is none, or of another query."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        version, time, check = _SHAPE.unpack(packed)
    except (binascii.Error, ValueError, struct.error) as error:
        raise InvalidRequest("cursor: it is none that was given as next_cursor") from error
    if version != _VERSION or check != zlib.crc32(query.encode()):
        raise InvalidRequest(
            "cursor: it belongs to another query; symbol, interval, start_date, end_date and order"
            " must be those of the first page"
        )
    return int(time)
