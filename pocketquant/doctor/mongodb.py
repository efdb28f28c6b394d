"""Check MongoDB: reachability, rights, version, replica set, disk, indexes, clock, API keys."""

import time
from collections.abc import Iterator
from typing import Any

import pymongo
from pymongo.errors import (
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.uri_parser import parse_uri

from pocketquant.doctor.findings import Finding, address_of, broken, ok, skipped, warning
from pocketquant.domain.errors import InvalidSettings
from pocketquant.servers.connections import Mongo, open_mongo, server_now
from pocketquant.settings import Settings
from pocketquant.storage.api_keys import ApiKeys
from pocketquant.storage.calendars import CalendarStore, KeptCalendar
from pocketquant.storage.indexes import missing_indexes

_SECONDS = 2.0
_OLDEST = 5
_LITTLE_SHARE = 0.1
_NO_ROOM_SHARE = 0.02
_SKEW_SECONDS = 2.0
_MOST_NAMED = 5
_FORM = (
    "write MONGODB_URL as mongodb://user:password@host:27017/?replicaSet=rs0,"
    " with characters such as / and @ of a password as %2F and %40"
)
_SCRATCH = "doctor_scratch"
_AUTHENTICATION_FAILED = 18  # MongoDB's error code


def mongodb(settings: Settings) -> Iterator[Finding]:
    """Run all checks that the server allows."""
    if not settings.mongodb_url:
        yield skipped("mongodb", "MONGODB_URL is empty: `pocketquant up` starts a private one")
        return
    try:
        mongo = open_mongo(settings.mongodb_url, settings.mongodb_database, _SECONDS)
    except InvalidSettings:
        yield broken("mongodb", "MONGODB_URL is no URL of MongoDB", _FORM)
        return
    with mongo.client:
        try:
            hello = mongo.client.admin.command("hello")
            mongo.command("listCollections", nameOnly=True)
        except PyMongoError as error:
            yield _unusable(settings.mongodb_url, error)
            return
        yield ok("mongodb", f"answers at {address_of(settings.mongodb_url)}")
        yield from _details(mongo, hello)
        yield _api_keys(mongo, settings)


def _details(mongo: Mongo, hello: dict[str, Any]) -> Iterator[Finding]:
    yield _version(mongo)
    yield _replica_set(hello)
    yield _write(mongo)
    yield _room(mongo)
    yield _indexes(mongo)
    yield clock("mongodb clock", server_now(mongo).timestamp())
    yield _calendars(CalendarStore(mongo))


def _calendars(calendars: CalendarStore) -> Finding:
    wrong = calendars.wrong(_MOST_NAMED)
    if not wrong:
        return ok("calendars", "those of all synced symbols explain their bars")
    named = "; ".join(f"{each.symbol}: {_trouble(each)}" for each in wrong)
    remedy = "sync the symbol again; live bars of a doubtful interval are withheld until then"
    return warning("calendars", f"{calendars.count_wrong()} are doubtful: {named}", remedy)


def _trouble(kept: KeptCalendar) -> str:
    intervals = ", ".join(interval.value for interval in kept.doubts)
    return kept.problem or f"bars of {intervals} were not predicted"


def _unusable(url: str, error: PyMongoError) -> Finding:
    if isinstance(error, OperationFailure):
        if error.code == _AUTHENTICATION_FAILED:
            remedy = "mend user and password in MONGODB_URL (and authSource, often admin)"
            return broken("mongodb", "MongoDB refused user and password", remedy)
        remedy = "name a user in MONGODB_URL that has readWrite on MONGODB_DATABASE"
        return broken("mongodb", f"the user lacks rights: {_message(error)}", remedy)
    if isinstance(error, ServerSelectionTimeoutError):
        hello = _hello_of_first_server(url)
        if hello is not None:
            return _without_primary(hello)
    return broken(
        "mongodb",
        f"no answer from {address_of(url)} within {_SECONDS:.0f} s: {_message(error)}",
        "start MongoDB, or mend host and port in MONGODB_URL; a firewall may be between",
    )


def _hello_of_first_server(url: str) -> dict[str, Any] | None:
    """Return the `hello` of the first server in the URL, even if it has no primary, or None."""
    host, port = parse_uri(url)["nodelist"][0]
    milliseconds = int(_SECONDS * 500)
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        host,
        port,
        directConnection=True,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds,
    )
    with client:
        try:
            return dict(client.admin.command("hello"))
        except PyMongoError:
            return None


def _without_primary(hello: dict[str, Any]) -> Finding:
    name = hello.get("setName")
    if name is None:
        return broken(
            "mongodb replica set",
            "it answers, but is not a member of the replica set that MONGODB_URL names",
            "run mongod with --replSet rs0 and call rs.initiate() in mongosh once",
        )
    return broken(
        "mongodb replica set",
        f"the replica set {name} has no primary, or MONGODB_URL names another set",
        f"write replicaSet={name} into MONGODB_URL; rs.status() in mongosh shows missing members",
    )


def _version(mongo: Mongo) -> Finding:
    version = str(mongo.client.server_info()["version"])
    if int(version.split(".")[0]) < _OLDEST:
        return broken("mongodb version", version, f"upgrade MongoDB to {_OLDEST} or newer")
    return ok("mongodb version", version)


def _replica_set(hello: dict[str, Any]) -> Finding:
    check = "mongodb replica set"
    if hello.get("msg") == "isdbgrid":
        return ok(check, "a sharded cluster")
    if "setName" not in hello:
        remedy = "run mongod with --replSet rs0, call rs.initiate(), add ?replicaSet=rs0 to the URL"
        return warning(check, "a standalone server: no other takes over when it dies", remedy)
    if not hello.get("isWritablePrimary"):
        remedy = "name all members in MONGODB_URL, with ?replicaSet=…"
        return broken(check, "the server is not the primary", remedy)
    return ok(check, f"{hello['setName']}, with a primary")


def _write(mongo: Mongo) -> Finding:
    """Write one document to a scratch collection, and remove both again."""
    try:
        scratch = mongo[_SCRATCH]
        written = scratch.insert_one({}).inserted_id
        scratch.delete_one({"_id": written})
        scratch.drop()
    except PyMongoError as error:
        remedy = f"give MONGODB_URL's user readWrite on the database {mongo.name}"
        return broken("mongodb writes", f"a write was refused: {_message(error)}", remedy)
    return ok("mongodb writes", f"the database {mongo.name} can be written")


def _room(mongo: Mongo) -> Finding:
    check = "mongodb disk"
    try:
        stats = mongo.command("dbStats")
    except OperationFailure:
        return skipped(check, "the user has no right to read it")
    total = stats.get("fsTotalSize") or 0
    if not total:
        return skipped(check, "the server does not report it")
    share = 1 - stats["fsUsedSize"] / total
    text = f"{share:.0%} of {total / 2**30:.0f} GiB free"
    remedy = "free disk space where MongoDB keeps its data, or move it to a larger disk"
    if share < _NO_ROOM_SHARE:
        return broken(check, text, remedy)
    return warning(check, text, remedy) if share < _LITTLE_SHARE else ok(check, text)


def _indexes(mongo: Mongo) -> Finding:
    missing = missing_indexes(mongo)
    if missing:
        remedy = "start the API or a worker once: it creates them"
        return warning("mongodb indexes", f"missing: {', '.join(missing)}", remedy)
    return ok("mongodb indexes", "none is missing")


def _api_keys(mongo: Mongo, settings: Settings) -> Finding:
    """Check that a valid API key exists: production needs one before anything listens."""
    live = sum(key.is_live(int(time.time())) for key in ApiKeys(mongo).all())
    if live:
        return ok("api keys", f"{live} that open the API")
    if settings.is_development:
        return ok("api keys", "none; this machine's own requests need none in development")
    remedy = "`pocketquant keys create first --scope admin` makes one"
    return broken("api keys", "production, and no key opens the API: web does not start", remedy)


def clock(check: str, server_seconds: float) -> Finding:
    """Compare the clock of a server with that of this machine."""
    skew = server_seconds - time.time()
    if abs(skew) > _SKEW_SECONDS:
        remedy = "let NTP set the clocks: `timedatectl set-ntp true` on both machines"
        return warning(check, f"{skew:+.1f} s from this machine's", remedy)
    return ok(check, f"{skew:+.1f} s from this machine's")


def _message(error: PyMongoError) -> str:
    return str(error).split(", Timeout:")[0][:200]
