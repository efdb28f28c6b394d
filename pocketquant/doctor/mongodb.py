"""MongoDB: there, ours to use, new enough, a replica set, with room, on time, indexed."""

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

from pocketquant.doctor.findings import Finding, broken, ok, skipped, warning
from pocketquant.doctor.installation import shown
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
    " with signs such as / and @ of a password as %2F and %40"
)
_SCRATCH = "doctor_scratch"
_AUTHENTICATION_FAILED = 18  # MongoDB's error code


def mongodb(settings: Settings) -> Iterator[Finding]:
    """All of it, as far as the server lets us."""
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
        yield ok("mongodb", f"answers at {shown(settings.mongodb_url)}")
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
        return broken("mongodb", f"MongoDB wants other rights: {_said(error)}", remedy)
    if isinstance(error, ServerSelectionTimeoutError):
        said = _asked_directly(url)
        if said is not None:
            return _without_primary(said)
    return broken(
        "mongodb",
        f"no answer from {shown(url)} within {_SECONDS:.0f} s: {_said(error)}",
        "start MongoDB, or mend host and port in MONGODB_URL; a firewall may be between",
    )


def _asked_directly(url: str) -> dict[str, Any] | None:
    """What the first server says that is named, whether or not it has a primary."""
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
            "it answers, but is no member of a replica set, as MONGODB_URL says it is",
            "run mongod with --replSet rs0 and call rs.initiate() in mongosh once",
        )
    return broken(
        "mongodb replica set",
        f"the replica set {name} has no primary, or MONGODB_URL names another set",
        f"say replicaSet={name} in MONGODB_URL; see rs.status() in mongosh for who is away",
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
        return warning(check, "a standalone server: nothing takes over when it dies", remedy)
    if not hello.get("isWritablePrimary"):
        remedy = "name all members in MONGODB_URL, with ?replicaSet=…"
        return broken(check, "the server asked is not the primary", remedy)
    return ok(check, f"{hello['setName']}, with a primary")


def _write(mongo: Mongo) -> Finding:
    """Writes one document where nothing of ours is, and takes it away again."""
    try:
        scratch = mongo[_SCRATCH]
        kept = scratch.insert_one({}).inserted_id
        scratch.delete_one({"_id": kept})
        scratch.drop()
    except PyMongoError as error:
        remedy = f"give MONGODB_URL's user readWrite on the database {mongo.name}"
        return broken("mongodb writes", f"a write was refused: {_said(error)}", remedy)
    return ok("mongodb writes", f"the database {mongo.name} can be written")


def _room(mongo: Mongo) -> Finding:
    check = "mongodb disk"
    try:
        stats = mongo.command("dbStats")
    except OperationFailure:
        return skipped(check, "the user may not ask for it")
    total = stats.get("fsTotalSize") or 0
    if not total:
        return skipped(check, "the server does not tell")
    share = 1 - stats["fsUsedSize"] / total
    said = f"{share:.0%} of {total / 2**30:.0f} GiB free"
    remedy = "free disk space where MongoDB keeps its data, or move it to a larger disk"
    if share < _NO_ROOM_SHARE:
        return broken(check, said, remedy)
    return warning(check, said, remedy) if share < _LITTLE_SHARE else ok(check, said)


def _indexes(mongo: Mongo) -> Finding:
    missing = missing_indexes(mongo)
    if missing:
        remedy = "start the API or a worker once: it makes them"
        return warning("mongodb indexes", f"missing: {', '.join(missing)}", remedy)
    return ok("mongodb indexes", "all are there")


def _api_keys(mongo: Mongo, settings: Settings) -> Finding:
    """Production starts nothing that listens before there is one."""
    live = sum(key.is_live(int(time.time())) for key in ApiKeys(mongo).all())
    if live:
        return ok("api keys", f"{live} that open the API")
    if settings.is_development:
        return ok("api keys", "none; this machine's own requests need none in development")
    remedy = "`pocketquant keys create first --scope admin` makes one"
    return broken("api keys", "production, and no key opens the API: web does not start", remedy)


def clock(check: str, server_seconds: float) -> Finding:
    """How far a server's clock is from this machine's."""
    skew = server_seconds - time.time()
    if abs(skew) > _SKEW_SECONDS:
        remedy = "let NTP set the clocks: `timedatectl set-ntp true` on both machines"
        return warning(check, f"{skew:+.1f} s from this machine's", remedy)
    return ok(check, f"{skew:+.1f} s from this machine's")


def _said(error: PyMongoError) -> str:
    return str(error).split(", Timeout:")[0][:200]
