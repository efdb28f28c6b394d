"""Dials a URL, receives so many texts as they come byte by byte, and prints them as JSON.

It runs in its own process, because a process loads its trusted certificates only once.
"""

import json
import sys
import time

from pocketquant.tradingview.socket import dial

url, wanted = sys.argv[1], int(sys.argv[2])
opened = dial(url, time.monotonic() + 10)
received: list[str] = []
while len(received) < wanted:
    text = opened.receive_within(0) or opened.receive_within(5)
    if text is None:
        sys.exit("nothing came for 5 s")
    received.append(text)
opened.hang_up()
json.dump(received, sys.stdout)
