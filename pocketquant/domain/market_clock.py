"""`MarketClock`: what time it is for the provider, by a steady clock of ours.

The clock of our machine may be wrong and may be set at any moment; a steady one only counts
seconds. The provider's greeting says what time it is. After that, trades are witnesses: none can
have happened in the future, and of many trades the freshest was made just now. Clocks of exchanges
may be wrong too, so that one symbol alone is believed only where it is the only one.
"""

_WINDOW_SECONDS = 60.0  # of trades that are judged together
_WITNESSES = 3  # symbols that have to agree
_BUSY_TRADES = 60  # in a window, of which the freshest is likely to be new


class MarketClock:
    """Begins with our own time. All times but `steady` and `wall` are epoch seconds by this clock.

    It is put back where all trades come later than `tolerance_seconds`: bars then wait for them.
    """

    def __init__(self, wall: float, steady: float, tolerance_seconds: float) -> None:
        self._offset = wall - steady
        self._tolerance_seconds = tolerance_seconds
        self._wall, self._steady = wall, steady
        self._leads: dict[str, float] = {}
        self._trades = 0
        self._judged_at = self.time(steady)

    def time(self, steady: float) -> float:
        """What time it is at that moment."""
        return steady + self._offset

    def step(self, wall: float, steady: float) -> float:
        """By how much the machine's clock was set, or slept, since this was last asked."""
        step = (wall - self._wall) - (steady - self._steady)
        self._wall, self._steady = wall, steady
        return step

    def greet(self, told: float, now: float) -> None:
        """The provider said at `now` that it was `told`."""
        self._shift(told - now, now)

    def trade(self, symbol: str, time: float, now: float) -> None:
        """A trade of `time`, its symbol's delay added, was told of at `now`."""
        lead = time - now
        if lead > self._leads.get(symbol, lead - 1):
            self._leads[symbol] = lead
        self._trades += 1

    def judge(self, now: float, watched: int) -> None:
        """Once in a while, believe the trades, if enough of so many watched symbols agree."""
        if now - self._judged_at < _WINDOW_SECONDS:
            return
        witnesses = max(min(_WITNESSES, watched), 1)
        leads = sorted(self._leads.values(), reverse=True)
        agreed = leads[witnesses - 1] if len(leads) >= witnesses else 0.0
        is_late = agreed < -self._tolerance_seconds and self._trades >= _BUSY_TRADES
        self._shift(agreed if agreed > 0 or is_late else 0.0, now)

    def _shift(self, seconds: float, now: float) -> None:
        self._offset += seconds
        self._judged_at = now + seconds
        self._leads.clear()
        self._trades = 0
