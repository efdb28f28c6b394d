"""The parts of the seeded price path add up to their whole."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketquant.simulator.market import paths, world
from pocketquant.simulator.market.calendars import Ints, sessions
from tests.unit.simulator.market.instruments import INSTRUMENTS

instruments = st.sampled_from(INSTRUMENTS)


def whole_of(rows: Ints) -> list[int]:
    """Return open, high, low, close and volume of consecutive rows."""
    return [
        int(rows[1, 0]),
        int(rows[2].max()),
        int(rows[3].min()),
        int(rows[4, -1]),
        int(rows[5].sum()),
    ]


@settings(deadline=None, max_examples=60)
@given(instruments, st.integers(0, 8000))
def test_hours_and_minutes_add_up_to_the_day(instrument: world.Instrument, day: int) -> None:
    """The hours and minutes of any day add up to it exactly; each is a valid bar in its session."""
    whole = paths.days(instrument)[:, day]
    for parts in (paths.hours(instrument, day, day + 1), paths.minutes(instrument, day, day + 1)):
        assert whole[1:].tolist() == whole_of(parts)
        assert np.all(parts[2] >= np.maximum(parts[1], parts[4]))
        assert np.all(parts[3] <= np.minimum(parts[1], parts[4]))
        assert np.all(parts[1:] > 0)
        assert np.all(np.diff(parts[0]) > 0)
        assert parts[0, 0] == whole[0]
        assert parts[0, -1] < sessions(instrument.calendar).closes[day]


@settings(deadline=None, max_examples=60)
@given(instruments, st.integers(0, 8000), st.integers(0, 1439))
def test_the_ticks_of_a_minute_make_its_bar(
    instrument: world.Instrument, day: int, index: int
) -> None:
    """The ticks of a minute add up to its bar exactly, and no two share a second."""
    rows = paths.minutes(instrument, day, day + 1)
    minute = rows[:, index % rows.shape[1]]
    times, prices, sizes = paths.ticks(instrument, minute)
    assert minute[1:].tolist() == [
        prices[0],
        prices.max(),
        prices.min(),
        prices[-1],
        sizes.sum(),
    ]
    assert np.all(sizes > 0)
    assert np.all(np.diff(times) > 0)
    assert minute[0] <= times[0]
    assert times[-1] < minute[0] + 60


def test_a_part_does_not_depend_on_other_parts() -> None:
    """The minutes of a day are equal, computed alone or with other days."""
    for instrument in INSTRUMENTS:
        together = paths.minutes(instrument, 5000, 5003)
        alone = [paths.minutes(instrument, day, day + 1) for day in range(5000, 5003)]
        assert np.array_equal(together, np.concatenate(alone, axis=1))


def test_a_thin_symbol_has_gaps() -> None:
    """A thinly traded symbol lacks the minutes and hours without trade."""
    quiet = world.find("OTC:QUIET")
    assert quiet is not None
    assert paths.minutes(quiet, 5000, 5100).shape[1] < 0.2 * 390 * 100
    assert paths.hours(quiet, 5000, 5100).shape[1] < 0.5 * 7 * 100


def test_symbols_differ() -> None:
    """Two symbols of one kind have different prices."""
    one, other = world.find("NASDAQ:AMZN"), world.find("NASDAQ:GOOGL")
    assert one is not None
    assert other is not None
    assert not np.array_equal(np.diff(paths.days(one)[4]), np.diff(paths.days(other)[4]))


def test_a_price_stays_in_its_bounds() -> None:
    """In forty years, a price neither falls to zero nor grows without limit."""
    for instrument in INSTRUMENTS:
        close = paths.days(instrument)[4] / instrument.pricescale
        assert close.min() > instrument.first_price / 3
        assert close.max() < instrument.first_price * 3


def test_rows_with_the_same_key_become_one() -> None:
    """A merged row has the first open, last close, the extremes and the sum of volumes."""
    rows = np.array(
        [[0, 60, 120, 180], [5, 6, 7, 8], [9, 8, 9, 12], [4, 5, 3, 6], [6, 7, 8, 9], [1, 2, 3, 4]]
    )
    merged = paths.merge(rows, np.array([7, 7, 7, 9]))
    assert [[0, 180], [5, 8], [9, 12], [3, 6], [8, 9], [6, 4]] == merged.tolist()
    assert paths.merge(rows, rows[0]) is rows
