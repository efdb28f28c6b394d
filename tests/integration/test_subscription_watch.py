"""The thread that keeps the subscriptions up to date, on real servers."""

import redis

from pocketquant.coordination.nudges import SUBSCRIPTIONS_CHANNEL, Nudges
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import Interval
from pocketquant.domain.shards import Shard
from pocketquant.domain.symbols import Symbol
from pocketquant.presence.repeating import Loops
from pocketquant.servers.connections import Mongo, wait_until
from pocketquant.storage.calendars import CalendarStore
from pocketquant.storage.subscriptions import Subscriptions
from workers.streamer.subscription_watch import SubscriptionWatch

AAPL, MSFT = Symbol("NASDAQ", "AAPL"), Symbol("NASDAQ", "MSFT")
OTHER, LATER = Symbol("BINANCE", "BTCUSDT"), Symbol("BINANCE", "ETHUSDT")
ALL = Shard(1, 1).holds


def test_unreadable_subscriptions_are_read_again(mongo: Mongo, cache: redis.Redis) -> None:
    """Meanwhile the process is not well; changes made since are seen afterwards."""
    subscriptions, nudges = Subscriptions(mongo), Nudges(cache)
    loops = Loops(failing_seconds=0)
    watch = SubscriptionWatch(subscriptions, CalendarStore(mongo), ALL, nudges, loops)

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


def test_calendars_come_with_their_symbols(mongo: Mongo, cache: redis.Redis) -> None:
    """A calendar that a sync brings or changes is found; others stay the same objects."""
    subscriptions, calendars, nudges = Subscriptions(mongo), CalendarStore(mongo), Nudges(cache)
    watch = SubscriptionWatch(
        subscriptions, calendars, lambda name: name != str(OTHER), nudges, Loops()
    )
    for symbol in (AAPL, OTHER):
        calendars.keep(symbol, CalendarTexts("America/New_York", "0930-1600"), None, 100)
    subscriptions.add([AAPL, OTHER], now=100)
    with watch.watching():
        wait_until("the subscriptions are known", lambda: watch.newest is not None, (), 60)
        assert {str(AAPL)} == set(watch.calendars)
        first = watch.calendars[str(AAPL)]
        subscriptions.add([MSFT], now=100)
        calendars.keep(MSFT, CalendarTexts("America/New_York", "0930-1500"), None, 100)
        nudges.announce(SUBSCRIPTIONS_CHANNEL)
        wait_until("another calendar is known", lambda: str(MSFT) in watch.calendars, (), 60)
        assert first is watch.calendars[str(AAPL)]
        subscriptions.add([LATER], now=100)
        nudges.announce(SUBSCRIPTIONS_CHANNEL)
        wait_until("it is watched", lambda: LATER in watch.newest.since, (), 60)
        calendars.keep(LATER, CalendarTexts("Etc/UTC", "24x7"), None, 100)
        wait_until("its calendar is found", lambda: str(LATER) in watch.calendars, (), 60)
        calendars.doubt(AAPL, Interval.H1, 3600)

        def doubts() -> object:
            nudges.announce(SUBSCRIPTIONS_CHANNEL)  # each is a look, and some look at all
            return watch.calendars[str(AAPL)].doubts

        wait_until("the doubt is found", doubts, (), 120)
