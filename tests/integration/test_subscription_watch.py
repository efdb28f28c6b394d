"""The thread that keeps the subscriptions up to date, on real servers."""

import redis

from pocketquant.coordination.nudges import SUBSCRIPTIONS_CHANNEL, Nudges
from pocketquant.domain.symbols import Symbol
from pocketquant.presence.repeating import Loops
from pocketquant.servers.connections import Mongo, wait_until
from pocketquant.storage.subscriptions import Subscriptions
from workers.streamer.subscription_watch import SubscriptionWatch

AAPL, MSFT = Symbol("NASDAQ", "AAPL"), Symbol("NASDAQ", "MSFT")


def test_unreadable_subscriptions_are_read_again(mongo: Mongo, cache: redis.Redis) -> None:
    """Meanwhile the process is not well; changes made since are seen afterwards."""
    subscriptions, nudges = Subscriptions(mongo), Nudges(cache)
    loops = Loops(failing_seconds=0)
    watch = SubscriptionWatch(subscriptions, nudges, loops)

    def knows(*symbols: Symbol) -> bool:
        return watch.newest is not None and set(symbols) == set(watch.newest.since)

    subscriptions.add([AAPL], now=100)
    with watch.watching():
        wait_until("the subscriptions are known", lambda: knows(AAPL), (), 60)
        mongo["subscriptions"].insert_one({"_id": "no symbol", "exchange": "?", "since": None})
        subscriptions.add([MSFT], now=100)
        nudges.announce(SUBSCRIPTIONS_CHANNEL)
        wait_until("the watch fails", lambda: loops.failing == ("wish-watch",), (), 60)
        assert knows(AAPL)
        mongo["subscriptions"].delete_one({"_id": "no symbol"})
        wait_until("the new subscription is known", lambda: knows(AAPL, MSFT), (), 60)
        wait_until("the watch is well", lambda: loops.are_well, (), 60)
