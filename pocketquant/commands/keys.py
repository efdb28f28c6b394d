"""`keys`: make, list and revoke API keys, in MongoDB itself: the first key needs no API."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from pocketquant.commands.options import json_option
from pocketquant.commands.output import print_json, print_note, print_rows
from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import InvalidSettings
from pocketquant.machine.private_urls import with_private_servers
from pocketquant.servers.connections import open_mongo, translating_driver_errors
from pocketquant.settings import Settings
from pocketquant.storage.access import LONGEST_NAME, ApiKey, Scope, is_key_name
from pocketquant.storage.api_keys import ApiKeys

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_DATES = ("created_at", "last_used_at", "expires_at", "revoked_at")
_COLUMNS = ("id", "name", "scope", *_DATES)


class Duration(click.ParamType[int]):
    """A duration such as `12h` or `90d`, converted to seconds."""

    name = "duration"

    def convert(self, value: object, *_: object) -> int:
        found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", str(value))
        if not found:
            self.fail(f"{value!r} is not like 30m, 12h or 90d")
        return int(found[1]) * _SECONDS[found[2]]


class KeyName(click.ParamType[str]):
    """A name of printable characters."""

    name = "name"

    def convert(self, value: object, *_: object) -> str:
        name = str(value)
        if not is_key_name(name):
            self.fail(f"a name is 1 to {LONGEST_NAME} visible characters")
        return name


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    These commands use MongoDB directly, not the API: that of MONGODB_URL, else the private one of
    the `up` that runs on DATA_DIR.
    """


@keys.command()
@click.argument("name", type=KeyName())
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="read; sync: also sync, subscribe, cancel; admin: also delete, change schedules and keys.",
)
@click.option("--expires-in", type=Duration(), default=None, help="Such as 12h or 90d.")
@json_option
def create(name: str, scope: str, expires_in: int | None, as_json: bool) -> None:
    """Make a key for NAME and print it; it cannot be shown again."""
    now = int(time.time())
    expires_at = None if expires_in is None else now + expires_in
    with _open_store() as store:
        key, text = store.create(name, Scope(scope), now, expires_at)
    if as_json:
        print_json({**_shown(key), "key": str(text)})
        return
    click.echo(str(text))
    print_note(f"Key {key.id} of scope {scope} for {name}. Save it now: only its hash is stored.")


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List all keys, also revoked ones, the oldest first."""
    with _open_store() as store:
        found = store.all()
    print_rows(map(_shown, found), _COLUMNS, as_json)


@keys.command()
@click.argument("key_id", metavar="ID")
@json_option
def revoke(key_id: str, as_json: bool) -> None:
    """Revoke a key; every process refuses it within seconds."""
    with _open_store() as store:
        key = store.revoke(key_id, int(time.time()))
    if as_json:
        print_json(_shown(key))
        return
    click.echo(f"Key {key.id} of {key.name} is revoked.")


@contextmanager
def _open_store() -> Iterator[ApiKeys]:
    settings = with_private_servers(Settings())
    if not settings.mongodb_url:
        raise InvalidSettings(
            "MONGODB_URL is not set, and no `pocketquant up` runs on"
            f" {settings.data_dir.absolute()}: start it first, or set MONGODB_URL,"
            " or DATA_DIR to the folder of one that runs"
        )
    mongo = open_mongo(settings.mongodb_url, settings.mongodb_database)
    with translating_driver_errors(), mongo.client:
        yield ApiKeys(mongo)


def _shown(key: ApiKey) -> dict[str, Any]:
    dates = {name: _date(getattr(key, name)) for name in _DATES}
    return {"id": key.id, "name": key.name, "scope": key.scope.value, **dates}


def _date(seconds: int | None) -> str | None:
    date = to_date(seconds)
    return None if date is None else date.strftime("%Y-%m-%dT%H:%M:%SZ")
