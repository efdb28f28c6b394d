"""Quote sessions send first states and then changes."""

import json
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from pocketquant.simulator.market import world
from pocketquant.simulator.market.bad_prints import BadPrint
from pocketquant.simulator.market.dividends import Dividend
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.market.trading import Trade, market_events
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.quotes import SLOW_MS

MINUTE, HOUR = 60, 3600
ONE, OTHER = "SIM:S0001", "SIM:S0002"


@pytest.fixture
def quotes(client: Any) -> Any:
    """A client with a quote session `qs_1`."""
    client.call("quote_create_session", "qs_1")
    return client


def add(quotes: Any, *texts: str) -> dict[str, dict[str, Any]]:
    """Add symbols; return their first states."""
    received = quotes.call("quote_add_symbols", "qs_1", *texts)
    return {message["p"][1]["n"]: message["p"][1] for message in received[::2]}


def states(received: list[dict[str, Any]], text: str = ONE) -> list[dict[str, Any]]:
    """Return the states sent of one symbol."""
    return [
        message["p"][1]
        for message in received
        if message["m"] == "qsd" and message["p"][1]["n"] == text
    ]


def changes(received: list[dict[str, Any]], text: str = ONE) -> list[dict[str, Any]]:
    return [state["v"] for state in states(received, text)]


def minutes_of(first: dict[str, Any], updates: list[dict[str, Any]]) -> dict[int, list[float]]:
    """Minute bars made of quotes: open, high, low, close, volume.

    What carries a price, a volume or a time while the market is open is a trade at the last price
    known.
    """
    values, total = dict(first), first["volume"]
    bars: dict[int, list[float]] = {}
    for change in updates:
        values.update(change)
        if change.keys().isdisjoint({"lp", "lp_time", "volume"}):
            continue
        if values["current_session"] != "market":
            total = values["volume"]
            continue
        size = values["volume"] - (total if values["volume"] >= total else 0)
        total, price, minute = values["volume"], values["lp"], values["lp_time"] // MINUTE * MINUTE
        bar = bars.setdefault(minute, [price, price, price, price, 0.0])
        bar[1:] = [max(bar[1], price), min(bar[2], price), price, bar[4] + size]
    return bars


def history(
    market: Market, name: str, resolution: str, start: int, end: int
) -> dict[int, list[float]]:
    """Return the bars that open from `start` up to `end`, by open time."""
    instrument, parsed = world.find(name), Resolution.parse(resolution)
    assert instrument is not None
    assert parsed is not None
    bars = market.newest(instrument, parsed, end + 2 * HOUR, 5000).bars.between(start, end)
    return {int(row[0]): row[1:] for row in bars.columns.T.tolist()}


@pytest.mark.parametrize(
    ("name", "start_hours", "hours"),
    [
        ("SIM:S0001", 6, 4),  # over midnight
        ("BINANCE:BTCUSDT", 6, 4),
        ("NASDAQ:AAPL", 4, 3),  # over the close
        ("NASDAQ:AAPL", 20, 5),  # over the opening
        ("NSE:RELIANCE", 10, 5),  # delayed
        ("OANDA:EURUSD", 4, 4),  # over the change of session
        ("CME_MINI:ES1!", 4, 5),
        ("OTC:QUIET", 0, 60),
    ],
)
def test_the_quotes_of_a_minute_make_its_bar(
    quotes: Any, market: Market, name: str, start_hours: int, hours: int
) -> None:
    """Quotes make up the exact bar of their minute; a minute without trade has no quotes."""
    quotes.now_ms += start_hours * HOUR * 1000
    instrument = world.find(name)
    assert instrument is not None
    start = quotes.now_ms // 1000 - instrument.delay_seconds
    first = add(quotes, name)[name]["v"]
    updates = changes(quotes.wait(hours * HOUR, 7), name)
    seen_from = start // MINUTE * MINUTE + MINUTE
    seen_until = (quotes.now_ms // 1000 - instrument.delay_seconds) // MINUTE * MINUTE - MINUTE
    made = {
        time: bar
        for time, bar in minutes_of(first, updates).items()
        if seen_from <= time < seen_until
    }
    assert history(market, name, "1", seen_from, seen_until) == made
    assert len(made) >= 60 or name == "OTC:QUIET"


def test_the_days_volume_is_the_sum_of_its_minutes(quotes: Any, market: Market) -> None:
    """The day's volume equals the sum of its minutes' volumes, added as floats."""
    quotes.now_ms = 1_763_424_000_000  # midnight
    quotes.now_ms += 30_000
    values = add(quotes, ONE)[ONE]["v"]
    totals: dict[int, float] = {}
    for change in changes(quotes.wait(3 * HOUR)):
        values.update(change)
        totals[values["lp_time"] // MINUTE * MINUTE] = values["volume"]
    total = 0.0
    for time, bar in history(market, ONE, "1", 1_763_424_000, max(totals)).items():
        total += bar[4]
        assert total == totals[time]


def test_later_quotes_hold_only_what_has_changed(quotes: Any) -> None:
    """Later quotes have only changed fields; the most frequent kinds are those captured."""
    known = add(quotes, "TVC:VIX")["TVC:VIX"]["v"]
    kinds: Counter[frozenset[str]] = Counter()
    for change in changes(quotes.wait(HOUR), "TVC:VIX"):
        assert all(known[name] != value for name, value in change.items())
        known.update(change)
        kinds[frozenset(change)] += 1
    witnessed = {"lp_time"}, {"ask", "ask_size", "bid", "bid_size"}  # captured in 2019
    assert {frozenset(kind) for kind in witnessed} <= kinds.keys()
    assert frozenset({"lp_time", "lp", "ch", "chp"}) in kinds
    assert not any("volume" in kind for kind in kinds)


def test_a_volume_may_move_without_the_price(quotes: Any) -> None:
    """A trade at an equal price changes the volume alone."""
    add(quotes, "NASDAQ:AAPL")
    updates = changes(quotes.wait(HOUR), "NASDAQ:AAPL")
    assert {"volume", "lp_time"} in [set(change) for change in updates]


def test_updates_have_the_captured_shape(quotes: Any, wire: Path) -> None:
    """Updates have no time, like the captured partial ones."""
    captured = json.loads((wire / "qsd_lp_time_only_2019.txt").read_text().split("~m~")[2])
    add(quotes, ONE)
    (update, *_) = quotes.wait(MINUTE)
    assert list(captured) == list(update)
    assert list(captured["p"][1]) == list(update["p"][1])
    assert ["qs_1", ONE, "ok"] == [update["p"][0], update["p"][1]["n"], update["p"][1]["s"]]


def test_a_symbol_keeps_the_text_that_added_it(quotes: Any) -> None:
    """A symbol added under two texts has quotes under both."""
    text = '={"adjustment":"splits","symbol":"SIM:S0001"}'
    first = add(quotes, text, ONE)
    assert first[text]["v"] == first[ONE]["v"]
    received = quotes.wait(MINUTE)
    assert [] != changes(received, text) == changes(received, ONE)


def test_quote_completed_follows_each_first_state(quotes: Any) -> None:
    """`quote_completed` follows each first state, even an error; the answer is one text."""
    received = quotes.call("quote_add_symbols", "qs_1", ONE, "FOREX:EURUSD")
    assert [{"m": "quote_completed", "p": ["qs_1", ONE]}] == received[1:2]
    assert [{"m": "quote_completed", "p": ["qs_1", "FOREX:EURUSD"]}] == received[3:]
    assert 1 == len(quotes.actions)


def test_an_unknown_symbol_is_refused_as_captured(quotes: Any) -> None:
    """An unknown symbol gives `no_such_symbol`; the others go on."""
    expected = {"n": "FOREX:EURUSD", "s": "error", "errmsg": "no_such_symbol", "v": {}}
    assert expected == add(quotes, "FOREX:EURUSD", ONE)["FOREX:EURUSD"]
    assert [] != changes(quotes.wait(MINUTE))


def test_permission_is_denied_as_captured(quotes: Any, wire: Path) -> None:
    """A symbol without permission names the group that has it."""
    lines = (wire / "permission_denied_sequence_2026-09.txt").read_text().splitlines()
    captured = json.loads(lines[3])["p"][1]
    assert captured == add(quotes, captured["n"])[captured["n"]]


@pytest.mark.parametrize("name", ["NYSE:UNBORN", "SP:SPX"])
def test_symbols_without_trades_have_no_changes(quotes: Any, name: str) -> None:
    """A symbol that never traded, or is not simulated, has no changes."""
    assert "ok" == add(quotes, name)[name]["s"]
    assert [] == quotes.wait(2 * HOUR, MINUTE)


def test_a_closed_market_is_quiet(quotes: Any) -> None:
    """Between the close and the opening, which are both sent, a market sends no quotes."""
    add(quotes, "OTC:QUIET")
    quotes.wait(5 * HOUR, MINUTE)
    *_, closing = changes(quotes.wait(HOUR, MINUTE), "OTC:QUIET")
    assert {"current_session": "out_of_session"} == closing
    assert [] == quotes.wait(16 * HOUR, MINUTE)
    opening, *_ = changes(quotes.wait(HOUR, MINUTE), "OTC:QUIET")
    assert {"current_session": "market"} == opening


def test_the_phases_of_a_us_stocks_day(quotes: Any) -> None:
    """Each phase of the day is sent as it begins, and no quotes come at night."""
    add(quotes, "NASDAQ:AAPL")
    updates = changes(quotes.wait(24 * HOUR, 10 * MINUTE), "NASDAQ:AAPL")
    phases = [change["current_session"] for change in updates if "current_session" in change]
    assert ["post_market", "out_of_session", "pre_market", "market"] == phases
    night = next(n for n, each in enumerate(updates) if each.get("current_session") == phases[1])
    assert {"current_session": "pre_market"} == updates[night + 1]


def test_a_stock_outside_its_session(quotes: Any) -> None:
    """Outside the session, the last price stays, the time moves and the volume may fall."""
    add(quotes, "NASDAQ:AAPL")
    updates = changes(quotes.wait(24 * HOUR, 10 * MINUTE), "NASDAQ:AAPL")
    after = next(
        n for n, each in enumerate(updates) if each.get("current_session") == "post_market"
    )
    before = next(n for n, each in enumerate(updates) if each.get("current_session") == "market")
    outside = updates[after:before]
    assert all(change.keys().isdisjoint({"lp", "ch", "open_price"}) for change in outside)
    assert any(change.keys() == {"lp_time"} for change in outside)
    assert any({"rtc", "rtc_time", "rch", "rchp", "lp_time"} <= change.keys() for change in outside)
    times = [change["lp_time"] for change in outside if "lp_time" in change]
    assert any(later < time for time, later in pairwise(times))
    totals = [change["volume"] for change in outside if "volume" in change]
    falls = [later / total for total, later in pairwise(totals) if later < total]
    assert min(falls) < 0.01
    assert max(falls) > 0.9
    assert {"rtc": None, "rtc_time": None, "rch": None, "rchp": None}.items() <= updates[
        before
    ].items()
    first_trade = next(change for change in updates[before:] if "volume" in change)
    assert first_trade["volume"] < 0.5 * totals[-1]
    assert "open_time" in first_trade


def test_a_first_state_outside_the_session(quotes: Any) -> None:
    """A new client gets the state that earlier clients have."""
    add(quotes, "NASDAQ:AAPL")
    for hours in (7, 9, 3):  # after the close, before the opening, in the session
        updates = changes(quotes.wait(hours * HOUR, 10 * MINUTE), "NASDAQ:AAPL")
        text = '={"symbol":"NASDAQ:AAPL"}'
        known = add(quotes, text)[text]["v"]
        last = {name: value for change in updates for name, value in change.items()}
        assert last["current_session"] == known["current_session"]
        assert last["lp_time"] - known["lp_time"] in range(-60, 60)
        quotes.call("quote_remove_symbols", "qs_1", text)


def test_prices_in_another_currency(quotes: Any) -> None:
    """All prices are converted to the currency, the volume is not."""
    text = '={"symbol":"NASDAQ:AAPL","currency-id":"INR"}'
    dollars = add(quotes, "NASDAQ:AAPL")["NASDAQ:AAPL"]["v"]
    rupees = add(quotes, text)[text]["v"]
    assert ("INR", dollars["volume"]) == (rupees["currency_code"], rupees["volume"])
    rates = {rupees[name] / dollars[name] for name in ("lp", "bid", "open_price", "low_price")}
    assert all(rate == pytest.approx(1 / 0.0119) for rate in rates)
    unknown = '={"symbol":"NASDAQ:AAPL","currency-id":"XYZ"}'
    assert "no_such_symbol" == add(quotes, unknown)[unknown]["errmsg"]


def test_only_selected_fields_are_sent(quotes: Any) -> None:
    """Only selected fields are sent, and no update without a change of one."""
    assert [] == quotes.call("quote_set_fields", "qs_1", "lp", "volume", "isin")
    assert {"lp", "volume"} == set(add(quotes, ONE)[ONE]["v"])
    kinds = {frozenset(change) for change in changes(quotes.wait(10 * MINUTE))}
    assert {frozenset({"lp", "volume"}), frozenset({"volume"})} == kinds


def test_a_removed_symbol_has_no_quotes(quotes: Any) -> None:
    """A removed symbol has no quotes until it is added again, with its full state."""
    add(quotes, ONE, OTHER)
    assert [] == quotes.call("quote_remove_symbols", "qs_1", ONE, "SIM:S0003")
    received = quotes.wait(MINUTE)
    assert [] == changes(received)
    assert [] != changes(received, OTHER)
    assert "update_mode" in add(quotes, ONE)[ONE]["v"]
    assert [] != changes(quotes.wait(MINUTE))


def test_a_deleted_session_is_unknown(quotes: Any) -> None:
    """A deleted session sends no quotes and is unknown."""
    add(quotes, ONE)
    assert [] == quotes.call("quote_delete_session", "qs_1")
    assert [] == quotes.wait(MINUTE)
    assert "protocol_error" == quotes.call("quote_fast_symbols", "qs_1")[0]["m"]


def test_slow_symbols_are_updated_periodically(quotes: Any) -> None:
    """A symbol that is not fast gets all its changes together, from time to time."""
    first = add(quotes, ONE, OTHER)
    quotes.call("quote_fast_symbols", "qs_1", ONE)
    quotes.wait(2)
    received = quotes.wait(5 * MINUTE, 0.5)
    slow, fast = changes(received, OTHER), changes(received)
    assert len(slow) <= 5 * MINUTE * 1000 // SLOW_MS < len(fast)
    values = first[OTHER]["v"]
    for change in slow:
        values.update(change)
    instrument = world.find(OTHER)
    assert instrument is not None
    last = max(
        one.time
        for one in islice(market_events(instrument, quotes.now_ms // 1000 - MINUTE), 20)
        if isinstance(one, Trade) and one.time <= values["lp_time"]
    )
    assert last == values["lp_time"]


def test_a_hibernating_session_wakes_with_all_changes(quotes: Any) -> None:
    """A hibernating session sends all changes once symbols are added or made fast."""
    for method in ("quote_fast_symbols", "quote_add_symbols"):
        add(quotes, ONE)
        assert [] == quotes.call("quote_hibernate_all", "qs_1")
        assert [] == quotes.wait(10 * MINUTE)
        quotes.call(method, "qs_1", ONE)
        updates = changes(quotes.wait(MINUTE))
        assert 0 < len(updates) < 30


def test_many_symbols_are_answered_in_portions(quotes: Any, methods: Any) -> None:
    """Some first states come at once, the rest with later pushes, then changes as usual."""
    texts = [f"SIM:S{number:04}" for number in range(1, 121)]
    received = quotes.call("quote_add_symbols", "qs_1", *texts)
    assert 0 < len(received) < 240
    assert quotes.conversation.is_behind(quotes.now_ms)
    while quotes.conversation.is_behind(quotes.now_ms):
        received += quotes.wait(0.001, 0.001)
    counts = Counter(methods(received))
    assert 120 == counts["quote_completed"]
    assert 120 == len({message["p"][1]["n"] for message in quotes.wait(MINUTE)})
    assert not quotes.conversation.is_behind(quotes.now_ms)


def test_a_waiting_symbol_can_be_removed(quotes: Any) -> None:
    """A symbol removed before its first state has none."""
    texts = [f"SIM:S{number:04}" for number in range(1, 121)]
    updates = quotes.call("quote_add_symbols", "qs_1", *texts)
    quotes.call("quote_remove_symbols", "qs_1", *texts)
    assert [] == quotes.wait(MINUTE)
    assert len(updates) < 240


def test_a_late_push_is_limited(quotes: Any) -> None:
    """After a jump of time, the updates over the limit come with the next push."""
    add(quotes, *(f"SIM:S{number:04}" for number in range(1, 21)))
    received = quotes.wait(HOUR, HOUR)
    assert quotes.conversation.is_behind(quotes.now_ms)
    while quotes.conversation.is_behind(quotes.now_ms):
        received += quotes.wait(0.001, 0.001)
    assert 20 * 60 * 4 < len(received)


@pytest.mark.parametrize(
    "call",
    [
        ("quote_add_symbols", "qs_1", "={"),
        ("quote_set_fields", "qs_1", 7),
        ("quote_dance", "qs_1"),
    ],
)
def test_a_bad_call_is_lost_and_the_session_lives(quotes: Any, call: tuple[object, ...]) -> None:
    """An invalid call gives `invalid_parameters` with its method, and the session goes on."""
    (error,) = quotes.call(*call)
    assert ["qs_1", "invalid_parameters", call[0]] == error["p"]
    assert "ok" == add(quotes, ONE)[ONE]["s"]


# On order


@pytest.mark.parametrize("symbol", [ONE, None])
def test_quotes_may_be_mute(quotes: Any, faults: Faults, symbol: str | None) -> None:
    """Muted symbols send no changes; later, one update has them all."""
    add(quotes, ONE, OTHER)
    faults.order(Fault(FaultKind.QUOTES_MUTE, symbol))
    received = quotes.wait(50)
    assert [] == changes(received)
    assert (symbol is None) == (changes(received, OTHER) == [])
    assert "~h~1" in quotes.conversation.beat(quotes.now_ms)[0].text
    faults.lift()
    updates = changes(quotes.wait(MINUTE))
    assert 0 < len(updates) < 30


def test_a_muted_symbol_has_no_first_state(quotes: Any, faults: Faults) -> None:
    """The first state of a muted symbol comes after the fault is lifted."""
    faults.order(Fault(FaultKind.QUOTES_MUTE, ONE))
    assert {OTHER} == set(add(quotes, ONE, OTHER))
    assert [] == states(quotes.wait(MINUTE))
    faults.lift()
    first, *_ = changes(quotes.wait(MINUTE))
    assert "update_mode" in first


def test_a_symbol_may_become_unknown(quotes: Any, faults: Faults) -> None:
    """A symbol that becomes unknown sends one error, and works again once added again."""
    add(quotes, ONE, OTHER)
    faults.order(Fault(FaultKind.QUOTES_UNKNOWN, ONE))
    received = quotes.wait(MINUTE)
    expected = {"n": ONE, "s": "error", "errmsg": "no_such_symbol", "v": {}}
    assert [expected] == states(received)
    assert [] != changes(received, OTHER)
    assert expected == add(quotes, ONE)[ONE]
    faults.lift()
    assert "ok" == add(quotes, ONE)[ONE]["s"]


def test_permission_may_be_withdrawn(quotes: Any, faults: Faults, wire: Path) -> None:
    """A withdrawn permission gives the captured error, with the group."""
    add(quotes, ONE)
    faults.order(Fault(FaultKind.QUOTES_PERMISSION, ONE, "pro_realtime"))
    lines = (wire / "permission_denied_sequence_2026-09.txt").read_text().splitlines()
    captured = json.loads(lines[3])["p"][1]
    expected = {**captured, "n": ONE, "v": {"alternative": "pro_realtime"}}
    assert [expected] == states(quotes.wait(MINUTE))
    assert [] == quotes.wait(MINUTE)


def test_a_quote_may_come_twice(quotes: Any, faults: Faults) -> None:
    """A quote with a trade is repeated as often as ordered."""
    add(quotes, ONE)
    faults.order(Fault(FaultKind.QUOTES_REPEATED, ONE, times=3))
    updates = changes(quotes.wait(5 * MINUTE))
    twice = [one for one, other in pairwise(updates) if one == other]
    assert 3 == len(twice)
    assert all("lp_time" in change for change in twice)


def test_a_quote_may_come_after_the_next(quotes: Any, faults: Faults) -> None:
    """A quote sent after the next one has an older time and volume."""
    add(quotes, ONE)
    faults.order(Fault(FaultKind.QUOTES_UNORDERED, ONE, times=1))
    updates = [change for change in changes(quotes.wait(5 * MINUTE)) if "lp_time" in change]
    times = [change["lp_time"] for change in updates]
    volumes = [change["volume"] for change in updates]
    assert (sorted([times[0], times[1]]), sorted(volumes[:2])) == (times[1::-1], volumes[1::-1])
    assert sorted(times[2:]) == times[2:]


def test_the_volume_of_the_day_may_restart(quotes: Any, faults: Faults) -> None:
    """The day's volume restarts at zero."""
    total = add(quotes, ONE)[ONE]["v"]["volume"]
    faults.order(Fault(FaultKind.VOLUME_RESET, ONE, times=1))
    volumes = [
        change["volume"] for change in changes(quotes.wait(5 * MINUTE)) if "volume" in change
    ]
    assert sorted(volumes) == volumes
    assert volumes[-1] < total


def test_a_total_that_is_corrected(quotes: Any, faults: Faults) -> None:
    """The day's volume falls by ten, or by the ordered value, and goes on from there."""
    add(quotes, "NASDAQ:AAPL")
    quotes.wait(MINUTE)
    before = add(quotes, "NASDAQ:AAPL")["NASDAQ:AAPL"]["v"]["volume"]
    faults.order(Fault(FaultKind.VOLUME_FALLS, "NASDAQ:AAPL", 1e6, times=1))
    updates = changes(quotes.wait(MINUTE), "NASDAQ:AAPL")
    totals = [each["volume"] for each in updates if "volume" in each]
    assert 0 < before - totals[0] < 1e6
    assert all(later >= total for total, later in pairwise(totals))
    with pytest.raises(ValueError, match="could not convert"):
        Fault(FaultKind.VOLUME_FALLS, value="much")


def test_a_time_alone(quotes: Any, faults: Faults) -> None:
    """An update of a later time alone follows a trade."""
    add(quotes, ONE)
    faults.order(Fault(FaultKind.TIME_ALONE, ONE, times=1))
    updates = changes(quotes.wait(MINUTE))
    assert {"lp_time"} == updates[1].keys()


def test_a_volume_that_is_a_text(quotes: Any, faults: Faults) -> None:
    """The volume of a trade is a text, as often as ordered."""
    add(quotes, ONE)
    faults.order(Fault(FaultKind.QUOTES_UNREADABLE, ONE, times=2))
    updates = changes(quotes.wait(MINUTE))
    assert 2 == sum(isinstance(change.get("volume"), str) for change in updates)


@pytest.mark.parametrize(
    ("symbol", "day", "minute"),
    [
        ("NASDAQ:AAPL", 946_909_800, 946_909_800),
        ("SP:SPX", 1_686_231_000, 1_686_231_000),
        ("NYSE:UNBORN", None, None),
    ],
)
def test_when_history_begins(quotes: Any, symbol: str, day: int | None, minute: int | None) -> None:
    """A session that selects these fields is told when the histories of days and minutes begin."""
    fields = ("first_bar_time_1d", "first_bar_time_1m")
    quotes.call("quote_set_fields", "qs_1", *fields)
    (first, _) = quotes.call("quote_add_symbols", "qs_1", symbol)
    assert dict(zip(fields, (day, minute), strict=True)) == first["p"][1]["v"]


def test_a_quote_names_dividends(quotes: Any, market: Market) -> None:
    """A first state names them; a later update does once the next one is paid."""
    now = quotes.now_ms // 1000
    ex_time = now + HOUR
    market.dividend(ONE, Dividend(ex_time, 2.5, now - HOUR, ex_time))
    first = add(quotes, ONE)[ONE]["v"]
    midnight = ex_time // (24 * HOUR) * 24 * HOUR
    fields = ("dividend_ex_date_recent", "dividend_amount_recent", "dividend_ex_date_upcoming")
    assert [None, None, midnight] == [first[name] for name in fields]
    updates = [each for each in changes(quotes.wait(2 * HOUR)) if fields[0] in each]
    assert [[midnight, 2.5, None]] == [[each[name] for name in fields] for each in updates]


def test_a_quote_reports_the_day_before(quotes: Any, market: Market) -> None:
    """A session that selects it gets it with the first state, and again with a new day."""
    market.bad_print(ONE, BadPrint(quotes.now_ms // 1000 - 24 * HOUR, 9e5, 2**33))
    quotes.call("quote_set_fields", "qs_1", "lp", "prev-daily-bar")
    shown = [add(quotes, ONE)[ONE]["v"]["prev-daily-bar"]]
    updates = changes(quotes.wait(24 * HOUR, 600))
    shown += [each["prev-daily-bar"] for each in updates if "prev-daily-bar" in each]
    expected = history(market, ONE, "1D", int(shown[0]["time"]), quotes.now_ms // 1000)
    names = ("open", "high", "low", "close", "volume")
    days = {int(day["time"]): [float(day[name]) for name in names] for day in shown}
    assert [*expected.items()][:2] == [*days.items()]
    assert 9e5 == days[int(shown[0]["time"])][1]


@pytest.mark.parametrize("symbol", ["NYSE:UNBORN", "SP:SPX"])
def test_a_symbol_without_a_day_before(quotes: Any, symbol: str) -> None:
    """A listing that never traded, and captured bars, have none."""
    quotes.call("quote_set_fields", "qs_1", "prev-daily-bar")
    assert {} == add(quotes, symbol)[symbol]["v"]


def test_dividends_are_selected_like_other_fields(quotes: Any, market: Market) -> None:
    """A session that selects other fields gets none of them."""
    market.dividend(ONE, Dividend(0, 2.5, 0, 0))
    quotes.call("quote_set_fields", "qs_1", "lp", "dividend_amount_recent")
    assert {"lp", "dividend_amount_recent"} == add(quotes, ONE)[ONE]["v"].keys()
