"""Cursors: the time in a range at which the next page begins.

As a cursor is a time, bars that are added meanwhile neither shift it nor appear twice. It carries a
checksum of its query, and the generation of the series' bars: pages of one scale never go on in
another (see `Generations`).
"""

import base64
import binascii
import struct
import zlib

from pocketquant.domain.errors import InvalidRequest

_VERSION = 1
_SHAPE = struct.Struct(">BqI")
_LATER_VERSION = 2  # of a later generation than the first
_LATER_SHAPE = struct.Struct(">BqII")


def encode_cursor(time: int, query: str, generation: int = 1) -> str:
    """Return the cursor of the page that begins at `time`, or newest first: ends before it."""
    check = zlib.crc32(query.encode())
    if generation == 1:
        packed = _SHAPE.pack(_VERSION, time, check)
    else:
        packed = _LATER_SHAPE.pack(_LATER_VERSION, time, check, generation)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(cursor: str, query: str) -> tuple[int, int]:
    """Return time and generation of a cursor.

    Raise InvalidRequest if it is none, or of another query.
    """
    generation, expected = 1, _VERSION
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        if len(packed) == _LATER_SHAPE.size:
            version, time, check, generation = _LATER_SHAPE.unpack(packed)
            expected = _LATER_VERSION
        else:
            version, time, check = _SHAPE.unpack(packed)
    except (binascii.Error, ValueError, struct.error) as error:
        raise InvalidRequest("cursor: it is none that was given as next_cursor") from error
    if version != expected or check != zlib.crc32(query.encode()):
        raise InvalidRequest(
            "cursor: it belongs to another query; symbol, interval, start_date, end_date and order"
            " must be those of the first page"
        )
    return int(time), int(generation)
