"""Refuse to listen in production with a known password or without an API key."""

import time

import structlog

from pocketquant.domain.errors import InvalidSettings, StorageUnavailable
from pocketquant.servers.connections import open_mongo, translating_driver_errors
from pocketquant.settings import KNOWN_PASSWORDS, Settings
from pocketquant.storage.api_keys import ApiKeys

_log = structlog.get_logger(__name__)


def require_safe(settings: Settings) -> None:
    """Raise InvalidSettings in production for a known password of Flower, or without an API key.

    Development allows both. An unreachable MongoDB is no error here: the API starts, refuses
    requests while it cannot check their keys, and serves once MongoDB is back.
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
    """Whether Flower has no password, or the default of older versions."""
    return settings.flower_password.get_secret_value() in KNOWN_PASSWORDS


def _has_live_key(settings: Settings) -> bool:
    """Whether an API key is valid now; True where MongoDB cannot be reached."""
    mongo = open_mongo(settings.mongodb_url, settings.mongodb_database)
    try:
        with translating_driver_errors(), mongo.client:
            return ApiKeys(mongo).has_live(int(time.time()))
    except StorageUnavailable as error:
        _log.warning("api_keys_unknown", cause=type(error.__cause__).__name__)
        return True
