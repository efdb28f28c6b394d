"""The durable wish in a real MongoDB."""

from concurrent.futures import ThreadPoolExecutor

from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import Mongo
from pocketquant.storage.subscriptions import Subscriptions, SubscriptionSet

AAPL, MSFT = Symbol("NASDAQ", "AAPL"), Symbol("NASDAQ", "MSFT")


def test_nothing_is_subscribed_at_first(mongo: Mongo) -> None:
    """And streaming is on, so that the first subscription is enough."""
    assert SubscriptionSet(True, 0, {}) == Subscriptions(mongo).all()


def test_symbols_are_added_once_and_keep_their_time(mongo: Mongo) -> None:
    """Also where one is named twice; how many are new is told."""
    wishes = Subscriptions(mongo)
    assert [1, 1, 0] == [
        wishes.add([AAPL, AAPL], now=100),
        wishes.add([AAPL, MSFT], now=200),
        wishes.add([], now=300),
    ]
    assert {AAPL: 100, MSFT: 200} == wishes.all().since
    assert (2, True, False) == (wishes.count(), wishes.has(AAPL), wishes.has(Symbol("A", "B")))


def test_symbols_are_removed(mongo: Mongo) -> None:
    """What was not there is not counted."""
    wishes = Subscriptions(mongo)
    wishes.add([AAPL], now=100)
    assert [1, 0] == [wishes.remove([AAPL, MSFT]), wishes.remove([AAPL])]
    assert {} == wishes.all().since


def test_streaming_is_stopped_and_started(mongo: Mongo) -> None:
    """What is subscribed stays so."""
    wishes = Subscriptions(mongo)
    wishes.add([AAPL], now=100)
    wishes.stop()
    stopped = (wishes.is_on(), wishes.all().is_on, list(wishes.all().since))
    wishes.start()
    assert ((False, False, [AAPL]), True) == (stopped, wishes.is_on())


def test_every_change_raises_the_version(mongo: Mongo) -> None:
    """Of eight threads too, which all subscribe the same symbols."""
    wishes = Subscriptions(mongo)
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: wishes.add([AAPL, MSFT], now=100), range(8)))
    wishes.stop()
    wishes.start()
    wishes.remove([AAPL])
    assert (2, 11, 11) == (sum(added), wishes.version(), wishes.all().version)


def test_ten_thousand_symbols(mongo: Mongo) -> None:
    """In one call."""
    wishes = Subscriptions(mongo)
    many = [Symbol("SIM", f"S{number}") for number in range(10_000)]
    assert 10_000 == wishes.add(many, now=100)
    assert set(many) == set(wishes.all().since)
    assert 10_000 == wishes.remove(many)
