"""Cursors: the place in a range up to which pages were told.

A cursor names a time, so bars that are added meanwhile neither shift it nor are told twice. With
it goes a check of the query it belongs to.
"""

import base64
import binascii
import struct
import zlib

from pocketquant.domain.errors import InvalidRequest

_VERSION = 1
_SHAPE = struct.Struct(">BqI")


def encode_cursor(place: int, query: str) -> str:
    """The cursor of the page that begins at `place` (newest first: that ends before it)."""
    packed = _SHAPE.pack(_VERSION, place, zlib.crc32(query.encode()))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(cursor: str, query: str) -> int:
    """The place; InvalidRequest for what is no cursor, or one of another query."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        version, place, check = _SHAPE.unpack(packed)
    except (binascii.Error, ValueError, struct.error) as error:
        raise InvalidRequest("cursor: it is none that was given as next_cursor") from error
    if version != _VERSION or check != zlib.crc32(query.encode()):
        raise InvalidRequest(
            "cursor: it belongs to another query; symbol, interval, start_date, end_date and order"
            " must be those of the first page"
        )
    return int(place)
