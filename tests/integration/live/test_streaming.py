"""A streamer on real servers, from subscriptions to bars equal to the exchange's own."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import wait_until

if TYPE_CHECKING:
    from conftest import Live

MIDNIGHT = 1_763_424_000  # Tuesday, 2025-11-18, by the market's clock
DELAYED, DELAY_SECONDS = "NSE:RELIANCE", 900
PAIRS = [f"SIM:S{number:04}" for number in range(1, 6)]
SHORT = [Interval.M1, Interval.M3, Interval.M5, Interval.M15]


def test_live_bars_are_the_exchange_s_own(live_with: "Callable[..., Live]") -> None:
    """Complete bars are equal at once, all others after the repairs of the first, partial ones."""
    live = live_with(speed=60)
    live.subscribe(PAIRS)
    live.start()
    live.wait_until_quoted(PAIRS)
    begun = live.clock()
    live.wait_for(begun + 8 * MINUTE)
    live.wait_for_the_end(Interval.M5)
    live.stop()
    assert [] == live.differing(PAIRS, SHORT)
    assert all(6 <= len(live.whole(symbol, Interval.M1)) <= 14 for symbol in PAIRS)
    assert live.do_all_syncs() > 0
    assert [] == live.wrong_answers(PAIRS, SHORT[:3])


def test_dividends_that_quotes_name_are_stored(live_with: "Callable[..., Live]") -> None:
    """The dividends of the first quote are stored, and one that is paid during the stream."""
    live = live_with(speed=60)
    paid, soon = MIDNIGHT - 90 * DAY, int(live.clock()) + 5 * MINUTE
    for time, amount in ((paid, 0.25), (soon, 0.26)):
        live.simulator.pay(PAIRS[0], time, amount)
    live.subscribe(PAIRS[:1])
    live.start()

    def amounts() -> list[float | None]:
        found = live.platform.reports.dividends(Symbol.parse(PAIRS[0]))
        return [each.amount for each in found]

    wait_until("the first quote's are stored", lambda: amounts() == [0.25, None], (), 60)
    wait_until("the next one is paid", lambda: amounts() == [0.25, 0.26], (), 60)


def test_a_delayed_symbol(live_with: "Callable[..., Live]") -> None:
    """Its bars are complete from the first whole minute on, by its own clock."""
    live = live_with(speed=60, start=MIDNIGHT + 5 * HOUR)
    live.subscribe([DELAYED])
    live.start()
    live.wait_until_quoted([DELAYED])
    first = Interval.M1.period_end(int(live.clock()) - DELAY_SECONDS)
    live.wait_for_the_end(Interval.M5)
    last = Interval.M1.period_start(int(live.clock()) - DELAY_SECONDS - 60) - MINUTE
    live.wait_for_bar(DELAYED, last)
    live.stop()
    truth = live.history_between(DELAYED, Interval.M1, first, last)
    assert len(truth) > 0
    assert truth == live.whole(DELAYED, Interval.M1).between(first, last + 1)


def test_a_connection_that_breaks(live_with: "Callable[..., Live]") -> None:
    """The streamer dials again; only bars of the gap are partial, until they are repaired."""
    live = live_with(speed=60, streamer_grace_seconds=300)  # a slow machine makes no other gap
    live.subscribe(PAIRS)
    live.start()
    live.wait_until_quoted(PAIRS)
    live.wait_for_a_minute(PAIRS[0])
    lost = live.clock()
    live.simulator.order("quotes_drop", times=1)
    wait_until("it is connected again", lambda: live.status().reconnects == 1, (), 60)
    found = live.clock()
    live.wait_for_the_end(Interval.M5)
    live.stop()
    touched = {time for time in live.partial(PAIRS[0], Interval.M1) if time >= lost - MINUTE}
    assert touched
    assert all(lost - MINUTE < time < found + MINUTE for time in touched)
    assert [] == live.differing(PAIRS, SHORT)
    live.do_all_syncs()
    assert [] == live.wrong_answers(PAIRS, SHORT[:3])


def test_a_feed_that_goes_mute(live_with: "Callable[..., Live]") -> None:
    """Bars that closed as complete before it was noticed become partial, and are repaired."""
    live = live_with(speed=60, streamer_silence_seconds=2)
    live.subscribe(PAIRS)
    live.start()
    live.wait_until_quoted(PAIRS)
    live.wait_for_a_minute(PAIRS[0])
    lost = live.clock()
    live.simulator.order("quotes_mute")
    wait_until("the connection is given up", lambda: live.status().reconnects > 0, (), 60)
    live.simulator.lift()
    wait_until("it is connected again", lambda: live.status().connected_at, (), 60)
    live.wait_until_quoted(PAIRS)
    live.wait_for_the_end(Interval.M5)
    live.stop()
    assert [time for time in live.partial(PAIRS[0], Interval.M1) if time > lost]
    assert [] == live.differing(PAIRS, SHORT)
    live.do_all_syncs()
    assert [] == live.wrong_answers(PAIRS, SHORT[:3])


def test_a_feed_that_stalls(live_with: "Callable[..., Live]") -> None:
    """Without any message, even a heartbeat, the connection is given up."""
    live = live_with(speed=60, streamer_silence_seconds=2)
    live.subscribe(PAIRS)
    live.start()
    live.wait_until_quoted(PAIRS)
    live.wait_for_a_minute(PAIRS[0])
    live.simulator.order("quotes_stall", times=1)
    wait_until("it is connected again", lambda: live.status().reconnects == 1, (), 60)
    live.wait_for_the_end(Interval.M5)
    live.stop()
    assert [] == live.differing(PAIRS, SHORT)
    live.do_all_syncs()
    assert [] == live.wrong_answers(PAIRS, SHORT[:3])


def test_a_handshake_that_is_refused(live_with: "Callable[..., Live]") -> None:
    """The streamer waits after a 429, and then streams as usual."""
    live = live_with(speed=60)
    live.simulator.order("rate_limit", times=2)
    live.subscribe(PAIRS)
    live.start()
    refused = "provider_rate_limited"
    wait_until("it is refused", lambda: live.status().last_error == refused, ValueError, 60)
    live.wait_until_quoted(PAIRS)
    live.wait_for_the_end(Interval.M3)
    live.stop()
    assert [] == live.differing(PAIRS, SHORT)


def test_a_symbol_that_is_unknown(live_with: "Callable[..., Live]") -> None:
    """The status shows it with its reason, and the others are watched."""
    live = live_with(speed=60)
    live.subscribe(["SIM:NOSUCH", "ECONOMICS:USM2", PAIRS[0]])
    live.start()
    live.wait_until_quoted(PAIRS[:1])
    wait_until("two are refused", lambda: len(live.status().refused) == 2, (), 60)
    refused = {each.symbol: each.code for each in live.status().refused}
    assert {"SIM:NOSUCH": "unknown_symbol", "ECONOMICS:USM2": "no_permission"} == refused
    assert 1 == live.status().symbols


def test_a_symbol_whose_quotes_cannot_be_read(live_with: "Callable[..., Live]") -> None:
    """It is refused with the reason, and its shard continues on the same connection."""
    live = live_with(speed=60)
    live.subscribe(PAIRS)
    live.start()
    live.wait_until_quoted(PAIRS)
    live.simulator.order("quotes_unreadable", PAIRS[0])
    wait_until("it is refused", lambda: live.status().refused, (), 60)
    live.wait_for_the_end(Interval.M3)
    live.stop()
    status = live.status()
    (refused,), (unreadable,) = status.refused, status.unreadable
    assert (PAIRS[0], "provider_protocol") == (refused.symbol, refused.code)
    assert "v.volume" in refused.message
    assert (PAIRS[0], 10, 10) == (unreadable.symbol, unreadable.count, status.unreadable_quotes)
    assert (0, 4) == (status.reconnects, status.symbols)
    assert [] == live.differing(PAIRS[1:], SHORT)
    assert all(live.whole(symbol, Interval.M1) for symbol in PAIRS[1:])


def test_a_few_quotes_that_cannot_be_read(live_with: "Callable[..., Live]") -> None:
    """The symbol stays watched; bars that may lack a trade are partial until they are repaired."""
    live = live_with(speed=60)
    live.subscribe(PAIRS[:1])
    live.start()
    live.wait_until_quoted(PAIRS[:1])
    live.wait_for_a_minute(PAIRS[0])
    dropped = live.clock()
    live.simulator.order("quotes_unreadable", PAIRS[0], times=2)
    wait_until("two are dropped", lambda: live.status().unreadable_quotes == 2, (), 60)
    live.wait_for_the_end(Interval.M5)
    live.stop()
    assert [time for time in live.partial(PAIRS[0], Interval.M1) if time > dropped - MINUTE]
    assert [] == live.differing(PAIRS[:1], SHORT)
    live.do_all_syncs()
    assert [] == live.wrong_answers(PAIRS[:1], SHORT[:3])


def test_changes_of_subscriptions_are_followed_at_once(live_with: "Callable[..., Live]") -> None:
    """The streamer follows subscribe, unsubscribe, stop and start while it streams."""
    live = live_with(speed=60)
    live.start()
    live.subscribe(PAIRS[:2])
    live.wait_until_quoted(PAIRS[:2])
    board = live.platform.board

    def shown() -> list[str]:
        return list(board.latest_of(PAIRS[:2]))

    live.platform.watching.unsubscribe([Symbol.parse(PAIRS[1])])
    wait_until("one is watched", lambda: live.status().symbols == 1, (), 60)
    wait_until("one is shown", lambda: shown() == PAIRS[:1], (), 60)
    live.platform.watching.stop()
    wait_until("nothing is shown", lambda: not shown(), (), 60)
    live.platform.watching.start()
    live.wait_until_quoted(PAIRS[:1])
    assert PAIRS[:1] == shown()


def test_shards_share_the_symbols(live_with: "Callable[..., Live]") -> None:
    """Each symbol is watched by exactly one of two streamers."""
    live = live_with(speed=60, streamer_shards=2)
    live.subscribe(PAIRS)
    live.start()
    live.start()
    live.wait_until_quoted(PAIRS)
    board = live.platform.board
    wait_until("both have a status", lambda: len(board.statuses()) == 2, (), 60)
    statuses = board.statuses()
    assert ["1-of-2", "2-of-2"] == [status.shard for status in statuses]
    assert len(PAIRS) == sum(status.symbols for status in statuses)
    assert all(status.symbols for status in statuses)


def test_a_machine_whose_clock_is_wrong(live_with: "Callable[..., Live]") -> None:
    """Five seconds ahead, bars still close by the provider's clock, complete."""
    live = live_with(speed=60)
    live.subscribe(PAIRS)
    live.start(lambda: live.clock() + 300)
    live.wait_until_quoted(PAIRS)
    live.wait_for_a_minute(PAIRS[0])
    live.wait_for_the_end(Interval.M3)
    live.stop()
    assert [] == live.differing(PAIRS, SHORT)
    assert all(live.whole(symbol, Interval.M1) for symbol in PAIRS)


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_clock_that_is_set(live_with: "Callable[..., Live]", step: float) -> None:
    """A step of one hour is a gap, seen and repaired; no other minute is lost."""
    live = live_with(speed=60)
    live.subscribe(PAIRS)
    off = [0.0]
    live.start(lambda: live.clock() + off[0])
    live.wait_until_quoted(PAIRS)
    live.wait_for_a_minute(PAIRS[0])
    lost = live.clock()
    off[0] = step
    wait_until("it is connected again", lambda: live.status().reconnects == 1, (), 60)
    assert "clock" in str(live.status().last_error_message)
    found = live.clock()
    live.wait_for_bar(PAIRS[0], Interval.M1.period_end(int(found)) + MINUTE)
    live.wait_for_the_end(Interval.M5)
    live.stop()
    touched = [time for time in live.partial(PAIRS[0], Interval.M1) if time >= lost - MINUTE]
    assert touched
    assert all(lost - 2 * MINUTE < time < found + MINUTE for time in touched)
    assert [] == live.differing(PAIRS, SHORT)
    assert live.whole(PAIRS[0], Interval.M1).last_time > found
    live.do_all_syncs()
    assert [] == live.wrong_answers(PAIRS, SHORT[:3])


def test_a_token_that_was_revoked(live_with: "Callable[..., Live]") -> None:
    """The streamer forgets it, requests a new one, and quotes come."""
    live = live_with(speed=60, tradingview_username="user", tradingview_password="pass")
    live.simulator.order("bad_token", times=1)
    live.subscribe(PAIRS)
    live.start()
    live.wait_until_quoted(PAIRS)
    assert ("bad_token", 2) == (live.status().last_error, live.simulator.tally.sign_ins)


def test_every_token_is_refused(live_with: "Callable[..., Live]") -> None:
    """The streamer signs in again once, and then its status says what to do."""
    live = live_with(speed=60, tradingview_username="user", tradingview_password="pass")
    live.simulator.order("bad_token")
    live.subscribe(PAIRS)
    live.start()
    refusals = "pocketquant_stream_connections_total", {"outcome": "bad_token"}
    before = REGISTRY.get_sample_value(*refusals) or 0

    def is_refused_often() -> bool:
        return (REGISTRY.get_sample_value(*refusals) or 0) >= before + 3

    wait_until("it is refused three times", is_refused_often, (), 60)
    wait_until(
        "the status shows it", lambda: live.status().last_error == "bad_token", ValueError, 60
    )
    assert "TRADINGVIEW_TOKEN" in str(live.status().last_error_message)
    assert 2 == live.simulator.tally.sign_ins
