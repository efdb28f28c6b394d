"""What has to be so before anything of PocketQuant listens in production."""

import time

import structlog

from pocketquant.domain.errors import InvalidSettings, StorageUnavailable
from pocketquant.servers.connections import open_mongo, translating_driver_errors
from pocketquant.settings import KNOWN_PASSWORDS, Settings
from pocketquant.storage.api_keys import ApiKeys

_log = structlog.get_logger(__name__)


def require_safe(settings: Settings) -> None:
    """InvalidSettings, with what mends it, where everybody or nobody could come in.

    Development may do as it likes. A MongoDB that is away at this moment is no reason to stay
    down: the API then comes up, refuses what it can't judge, and serves once MongoDB is there.
    """
    if settings.is_development:
        return
    if has_known_password(settings):
        raise InvalidSettings(
            "in production FLOWER_PASSWORD has to be one of your own, for all programs:"
            ' python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    if not _has_live_key(settings):
        raise InvalidSettings(
            "in production the API wants at least one key:"
            " `pocketquant keys create NAME --scope admin` makes one"
        )


def has_known_password(settings: Settings) -> bool:
    """Whether Flower has no password of its own, or the one that older versions came with."""
    return settings.flower_password.get_secret_value() in KNOWN_PASSWORDS


def _has_live_key(settings: Settings) -> bool:
    """Whether there is one, as far as MongoDB can tell."""
    mongo = open_mongo(settings.mongodb_url, settings.mongodb_database)
    try:
        with translating_driver_errors(), mongo.client:
            return ApiKeys(mongo).has_live(int(time.time()))
    except StorageUnavailable as error:
        _log.warning("api_keys_unknown", cause=type(error.__cause__).__name__)
        return True
