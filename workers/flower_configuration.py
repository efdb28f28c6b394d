"""Flower's configuration file: `celery -A workers.app flower --conf=…/flower_configuration.py`.

Flower executes this file and takes the names it knows. What Tornado logs goes the way of all our
logs, and what it answers does not tell its name and version.
"""

from typing import Any

from tornado.web import RequestHandler

from pocketquant.exposure import require_safe
from pocketquant.logs import set_up_logs
from pocketquant.redaction import redactor_for
from pocketquant.settings import Settings

_settings = Settings()
set_up_logs(_settings.log_format, _settings.log_level, redactor_for(_settings))
require_safe(_settings)

address = _settings.flower_host
port = _settings.flower_port
basic_auth = [f"{_settings.flower_username}:{_settings.flower_password.get_secret_value()}"]

_clear = RequestHandler.clear


def _clear_and_rename(self: Any) -> None:
    _clear(self)
    self.set_header("Server", "PocketQuant")


RequestHandler.clear = _clear_and_rename  # type: ignore[method-assign]
