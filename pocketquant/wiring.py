"""From settings to objects: the one place that builds. Nothing is connected before it is used."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import redis

from pocketquant.cache.responses import ResponseCache
from pocketquant.connections import Mongo, open_mongo, open_redis
from pocketquant.coordination.outcomes import Outcomes
from pocketquant.domain.errors import InvalidSettings
from pocketquant.intake import Intake
from pocketquant.queues import Dispatcher, celery_app
from pocketquant.reconciler import Reconciler
from pocketquant.settings import Settings
from pocketquant.storage.bars import BarStore
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.sync import Syncer


@dataclass(frozen=True, slots=True)
class Platform:
    """What web and workers share."""

    settings: Settings
    mongo: Mongo
    cache: redis.Redis
    ledger: Ledger
    bars: BarStore
    statuses: SyncStatuses
    symbols: SymbolRegistry
    responses: ResponseCache
    outcomes: Outcomes
    dispatcher: Dispatcher
    intake: Intake
    reconciler: Reconciler

    def close(self) -> None:
        """Close the connections; not needed by processes that end anyway."""
        self.mongo.client.close()
        self.cache.close()


def wire(settings: Settings) -> Platform:
    """Everything but the provider; InvalidSettings where a server's URL is missing."""
    for name in ("mongodb_url", "redis_url"):
        if not getattr(settings, name):
            raise InvalidSettings(
                f"{name.upper()} is not set; `pocketquant up` brings servers along"
            )
    mongo = open_mongo(settings.mongodb_url, settings.mongodb_database)
    cache = open_redis(settings.redis_url)
    ledger = Ledger(mongo, settings.lease_seconds, settings.max_attempts)
    statuses = SyncStatuses(mongo)
    outcomes = Outcomes(cache)
    dispatcher = Dispatcher(celery_app(settings.broker_url))
    return Platform(
        settings=settings,
        mongo=mongo,
        cache=cache,
        ledger=ledger,
        bars=BarStore(mongo),
        statuses=statuses,
        symbols=SymbolRegistry(mongo),
        responses=ResponseCache(cache),
        outcomes=outcomes,
        dispatcher=dispatcher,
        intake=Intake(ledger, statuses, dispatcher, outcomes, _now),
        reconciler=Reconciler(ledger, statuses, dispatcher, outcomes, _now),
    )


def wire_syncer(platform: Platform) -> Syncer:
    """The worker's part: a syncer on TradingView.

    Imported here because tvdatafeed brings pandas along, which only a worker should carry.
    """
    from pocketquant.tradingview.account import Account
    from pocketquant.tradingview.tvdatafeed import TvDatafeedHistory

    settings = platform.settings
    account = Account(
        settings.tradingview_http_url,
        settings.tradingview_username,
        settings.tradingview_password.get_secret_value(),
        settings.tradingview_token.get_secret_value(),
        platform.cache,
    )
    return Syncer(
        ledger=platform.ledger,
        provider=TvDatafeedHistory(
            settings.tradingview_url, account, settings.provider_timeout_seconds
        ),
        bars=platform.bars,
        statuses=platform.statuses,
        symbols=platform.symbols,
        responses=platform.responses,
        outcomes=platform.outcomes,
        clock=time.time,
    )


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # the edge that hands the clock on
