"""Flower's configuration file: `celery -A workers.app flower --conf=…/flower_configuration.py`.

Flower executes this file and reads the names it knows. Tornado's logs go to our logs, and its
responses do not contain its name and version. If the API needs no key, because it serves this
machine only, Flower accepts only host names of this machine: this stops a page of another site
whose name was rebound to this machine (DNS rebinding).
"""

from typing import Any

from flower.app import Flower
from tornado.web import ErrorHandler, RequestHandler

from pocketquant.hints import wrong_settings_in_one_line
from pocketquant.logs import set_up_logs
from pocketquant.machine.data_folder import with_flower_password
from pocketquant.machine.exposure import require_safe
from pocketquant.redaction import redactor_for
from pocketquant.servers.addresses import is_loopback, names_this_machine
from pocketquant.settings import Settings

with wrong_settings_in_one_line():
    _named = Settings()
    _settings = with_flower_password(_named, _named.data_dir)
    set_up_logs(_settings.log_format, _settings.log_level, redactor_for(_settings))
    require_safe(_settings)

address = _settings.flower_host
port = _settings.flower_port
basic_auth = [f"{_settings.flower_username}:{_settings.flower_password.get_secret_value()}"]

_clear = RequestHandler.clear
_find_handler = Flower.find_handler


def _clear_and_rename(self: Any) -> None:
    _clear(self)
    self.set_header("Server", "PocketQuant")


def _find_handler_for_this_machine(self: Any, request: Any, **options: Any) -> Any:
    if names_this_machine(request.headers.get("Host", "")):
        return _find_handler(self, request, **options)
    return self.get_handler_delegate(request, ErrorHandler, {"status_code": 403})


RequestHandler.clear = _clear_and_rename  # type: ignore[method-assign]
if _settings.is_development and is_loopback(_settings.flower_host):
    Flower.find_handler = _find_handler_for_this_machine
