"""The peer of the streamer: websocket-client and `json.loads` in a loop that only counts.

`python -m tests.benchmarks.live_plain URL SYMBOLS SECONDS` requests the quotes and prints how
many came, in how many seconds of the clock and of CPU time. The library's check of UTF-8 is turned
off, which makes it several times faster.
"""

import json
import re
import sys
import time

import websocket

from tests.benchmarks.live_feed import names

_SESSION = "qs_plainclient0"
_WARM_UP_SECONDS = 3.0
_MARKER = re.compile(r"~m~\d+~m~")


def main(url: str, symbols: int, seconds: float) -> None:
    client = websocket.create_connection(
        url, origin="https://www.tradingview.com", skip_utf8_validation=True, timeout=30
    )
    client.recv()
    for method, *params in (
        ("set_auth_token", "unauthorized_user_token"),
        ("quote_create_session", _SESSION),
        ("quote_set_fields", _SESSION, "lp", "lp_time", "volume", "bid", "ask", "ch", "chp"),
        ("quote_add_symbols", _SESSION, *names(symbols)),
    ):
        call = json.dumps({"m": method, "p": params})
        client.send(f"~m~{len(call)}~m~{call}")
    _count_until_the_tape(client, symbols)
    _count(client, _WARM_UP_SECONDS)
    began, cpu = time.perf_counter(), time.process_time()
    quotes = _count(client, seconds)
    print(quotes, time.perf_counter() - began, time.process_time() - cpu)


def _count_until_the_tape(client: websocket.WebSocket, symbols: int) -> None:
    """Read all texts before the endless tape: the first quotes of all symbols."""
    completed = 0
    while completed < symbols:
        completed += str(client.recv()).count('"quote_completed"')


def _count(client: websocket.WebSocket, seconds: float) -> int:
    quotes = 0
    ends_at = time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        for payload in _MARKER.split(str(client.recv())):
            if payload.startswith("{"):
                quotes += json.loads(payload)["m"] == "qsd"
            elif payload:
                client.send(f"~m~{len(payload)}~m~{payload}")
    return quotes


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
