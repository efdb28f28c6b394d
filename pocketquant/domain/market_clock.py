"""`MarketClock`: the provider's time, derived from a steady clock of ours.

The clock of this machine may be wrong and may be set at any moment; a steady clock only counts
seconds. The provider's greeting contains its time. After that trades correct the clock: no trade
can lie in the future, and the newest of many trades was made just now. Clocks of exchanges may be
wrong too, so several symbols must agree, unless only one is watched.
"""

_WINDOW_SECONDS = 60.0  # between two corrections
_WITNESSES = 3  # symbols that must agree
_BUSY_TRADES = 60  # in a window; the newest of so many is likely to be made just now


class MarketClock:
    """Starts with the time of this machine, `wall`. Times are epoch seconds by this clock.

    The clock is put back if all trades are older than `tolerance_seconds`: bars then wait for them.
    """

    def __init__(self, wall: float, steady: float, tolerance_seconds: float) -> None:
        self._offset = wall - steady
        self._tolerance_seconds = tolerance_seconds
        self._wall, self._steady = wall, steady
        self._leads: dict[str, float] = {}
        self._trades = 0
        self._judged_at = self.time(steady)

    def time(self, steady: float) -> float:
        """The time at a moment of the steady clock."""
        return steady + self._offset

    def step(self, wall: float, steady: float) -> float:
        """By how many seconds the machine's clock was set, or slept, since the last call."""
        step = (wall - self._wall) - (steady - self._steady)
        self._wall, self._steady = wall, steady
        return step

    def greet(self, provider_time: float, now: float) -> None:
        """Take over the time of a greeting that came at `now`."""
        self._shift(provider_time - now, now)

    def trade(self, symbol: str, time: float, now: float) -> None:
        """Note a trade that came at `now`; `time` is its own, plus the symbol's delay."""
        lead = time - now
        if lead > self._leads.get(symbol, lead - 1):
            self._leads[symbol] = lead
        self._trades += 1

    def judge(self, now: float, watched: int) -> None:
        """Once a minute, correct the clock by the trades if enough of the watched symbols agree."""
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
