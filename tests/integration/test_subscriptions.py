"""Subscriptions in a real MongoDB."""

from concurrent.futures import ThreadPoolExecutor

from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import Mongo
from pocketquant.storage.subscriptions import Subscriptions, SubscriptionSet

AAPL, MSFT = Symbol("NASDAQ", "AAPL"), Symbol("NASDAQ", "MSFT")


def test_no_symbol_is_subscribed_at_first(mongo: Mongo) -> None:
    """Streaming is on, so that the first subscription is enough."""
    assert SubscriptionSet(True, 0, {}) == Subscriptions(mongo).all()


def test_symbols_are_added_once_and_keep_their_time(mongo: Mongo) -> None:
    """A symbol may be named twice; `add` returns how many are new."""
    subscriptions = Subscriptions(mongo)
    assert [1, 1, 0] == [
        subscriptions.add([AAPL, AAPL], now=100),
        subscriptions.add([AAPL, MSFT], now=200),
        subscriptions.add([], now=300),
    ]
    assert {AAPL: 100, MSFT: 200} == subscriptions.all().since
    assert (2, True, False) == (
        subscriptions.count(),
        subscriptions.has(AAPL),
        subscriptions.has(Symbol("A", "B")),
    )


def test_symbols_are_removed(mongo: Mongo) -> None:
    """`remove` does not count unknown ones."""
    subscriptions = Subscriptions(mongo)
    subscriptions.add([AAPL], now=100)
    assert [1, 0] == [subscriptions.remove([AAPL, MSFT]), subscriptions.remove([AAPL])]
    assert {} == subscriptions.all().since


def test_streaming_is_stopped_and_started(mongo: Mongo) -> None:
    """Subscriptions stay."""
    subscriptions = Subscriptions(mongo)
    subscriptions.add([AAPL], now=100)
    subscriptions.stop()
    stopped = (subscriptions.is_on(), subscriptions.all().is_on, list(subscriptions.all().since))
    subscriptions.start()
    assert ((False, False, [AAPL]), True) == (stopped, subscriptions.is_on())


def test_every_change_raises_the_version(mongo: Mongo) -> None:
    """This holds for eight threads that subscribe the same symbols."""
    subscriptions = Subscriptions(mongo)
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: subscriptions.add([AAPL, MSFT], now=100), range(8)))
    subscriptions.stop()
    subscriptions.start()
    subscriptions.remove([AAPL])
    assert (2, 11, 11) == (sum(added), subscriptions.version(), subscriptions.all().version)


def test_ten_thousand_symbols_are_added_in_one_call(mongo: Mongo) -> None:
    """And they are removed in one call."""
    subscriptions = Subscriptions(mongo)
    many = [Symbol("SIM", f"S{number}") for number in range(10_000)]
    assert 10_000 == subscriptions.add(many, now=100)
    assert set(many) == set(subscriptions.all().since)
    assert 10_000 == subscriptions.remove(many)
