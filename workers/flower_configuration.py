"""Flower's configuration file: `celery -A workers.app flower --conf=…/flower_configuration.py`.

Flower executes this file and takes the names it knows.
"""

from pocketquant.exposure import require_safe
from pocketquant.settings import Settings

_settings = Settings()
require_safe(_settings)

address = _settings.flower_host
port = _settings.flower_port
basic_auth = [f"{_settings.flower_username}:{_settings.flower_password.get_secret_value()}"]
