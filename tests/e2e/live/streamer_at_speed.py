"""`python streamer_at_speed.py SPEED MARKET_TIME WALL_TIME`: a streamer on a market's fast clock.

The market's time is MARKET_TIME at WALL_TIME, and runs SPEED times as fast. Everything else equals
`python -m workers.streamer.main`.
"""

import signal
import sys
import time

from pocketquant.logs import set_up_logs
from pocketquant.settings import Settings
from pocketquant.wiring import wire
from workers.streamer.main import Streamer


def main() -> None:
    speed, market_time, wall_time = map(float, sys.argv[1:])
    settings = Settings()
    set_up_logs(settings.log_format, settings.log_level)
    streamer = Streamer(wire(settings), lambda: market_time + speed * (time.time() - wall_time))
    signal.signal(signal.SIGTERM, lambda *_: streamer.end())
    streamer.run()


if __name__ == "__main__":
    main()
