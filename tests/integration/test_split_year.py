"""Random splits over series of all intervals: every series equals the provider's at the end.

With `--whole`: 50 splits over 20 series for a year. Otherwise some weeks of it.
"""

from random import Random

from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.simulator.market.splits import Split
from pocketquant.wiring import Platform
from tests.integration.simulated_market import CLOSE, OPEN, SimulatedMarket, Synced

SEED = 18
TICKERS = ("AAPL", "MSFT", "NVDA", "META")
OTHERS = [each for each in Interval if each is not Interval.D1]
FORWARD, REVERSE = (2, 3, 10, 1.5), (0.5, 0.1, 0.2)
STEP = 5  # days between two syncs of a series


def series_of(count: int) -> list[Series]:
    """Return series of four symbols: the days of each, and the other intervals in turn."""
    symbols = [Symbol("NASDAQ", ticker) for ticker in TICKERS]
    days = [Series(symbol, Interval.D1) for symbol in symbols]
    others = [Series(symbols[n % 4], OTHERS[n % 12]) for n in range(count - 4)]
    return days + others


def add_splits(provider: SimulatedMarket, chance: Random, count: int, days: int) -> None:
    """Split the symbols at random sessions: late, undone after some days, or neither."""
    scales = dict.fromkeys(TICKERS, 1.0)
    for _ in range(count):
        ticker = chance.choice(TICKERS)
        ratio = chance.choice(FORWARD if scales[ticker] > 0.2 else REVERSE)
        time = OPEN + chance.randrange(1, days - STEP) * DAY
        kind = chance.choice(("punctual", "punctual", "late", "undone"))
        adjusted_at = time + (DAY if kind == "late" else 0)
        undone_at = time + chance.randrange(2, 9) * DAY if kind == "undone" else None
        provider.market.split(f"NASDAQ:{ticker}", Split(time, ratio, adjusted_at, undone_at))
        if kind != "undone":
            scales[ticker] /= ratio


def follow_up(synced: Synced) -> None:
    """Do the jobs that follow the rescales, until there are none."""
    platform = synced.platform
    while True:
        platform.rescale_follow_up.run()
        jobs, _ = platform.jobs.page(None, "rescale", None, 0, 1000)
        pending = [job for job in jobs if not job.finished_at]
        if not pending:
            return
        for job in pending:
            platform.planner.plan(job.id)
            units, count = platform.jobs.units(job.id, None, None, 0, 100)
            assert count <= 100
            for unit in units:
                synced.syncer().do(unit.id)


def test_every_series_equals_the_providers(wired: Platform, is_whole: bool) -> None:
    """Each sync asks for ten bars; splits are late, undone, or follow each other."""
    count, splits, days = (20, 50, 365) if is_whole else (16, 5, 31)
    chance, synced = Random(SEED), Synced(wired, SimulatedMarket())
    all_series = series_of(count)
    assert {*Interval} == {each.interval for each in all_series}
    add_splits(synced.provider, chance, splits, days)
    for day in range(0, days, STEP):
        synced.provider.now = CLOSE + day * DAY
        for series in chance.sample(all_series, len(all_series)):
            synced.sync(10 if day else 200, series)
        follow_up(synced)
    synced.provider.now = CLOSE + (days + 9) * DAY
    for series in all_series:
        synced.sync(5000, series)
    follow_up(synced)
    wrong = [str(each) for each in all_series if not synced.is_served(each)]
    assert [] == wrong
    rescales = [
        each for ticker in TICKERS for each in wired.generations.rescales(Symbol("NASDAQ", ticker))
    ]
    assert len(rescales) >= splits
