"""Default descriptions and examples for the fields of the OpenAPI document, by field name.

A field without a description or example of its own gets those of its name; a field that holds
other models gets an example made of theirs. Validation and answers are not affected.
"""

import re
from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_PATH_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

_JOB_ID = "6565f1f0a7b1c2d3e4f50617"
_MOMENT = "2024-01-31T14:30:00Z"

_WORDS: Mapping[str, tuple[str, Any]] = {
    "active": ("whether schedules sync it", True),
    "as_of": ("when these values were current", None),
    "ask": ("lowest ask price", 189.96),
    "attempts": ("attempts so far", 1),
    "bar_count": ("bars stored for the series", 5003),
    "bar_end": ("when the bar ends", "2024-01-31T14:31:00Z"),
    "bar_start": ("open time of the bar", None),
    "bars_stored": ("closed bars that the streamer has stored", 1200),
    "beats": ("beat processes, which make schedules run", None),
    "bid": ("highest bid price", 189.94),
    "breaker": ("circuit breaker: whether the provider is called or left alone for a while", None),
    "broker": ("the message broker", "ok"),
    "busy": ("slots that are running a task", 7),
    "cancelled": ("syncs that were cancelled", 0),
    "change_percent": ("change since the previous close, in percent", 0.42),
    "changed": ("stored bars that were overwritten with different values", 1),
    "close": ("the last price", 189.95),
    "code": ("stable name of the error", "unknown_symbol"),
    "completed": ("syncs that succeeded", 493),
    "consecutive_failures": ("calls to the provider that failed in a row", 0),
    "count": ("number of entries", 5),
    "country": ("country, as two letters", "US"),
    "counts": ("number of syncs in each state", None),
    "created_at": ("when it was requested", None),
    "cron": ("minute hour day-of-month month day-of-week, in UTC", "0 */6 * * *"),
    "currency": ("currency of its prices", "USD"),
    "data": ("the bars, in the requested order", None),
    "description": ("what it does, in words", "every tracked series of every active symbol"),
    "error": ("code of the last failure; null: none", "provider_timeout"),
    "error_message": ("message of the last failure; null: none", None),
    "estimate": ("the bars expected of it, as far as they are known before it begins", None),
    "events": ("the corporate events that were found, the last one first", None),
    "exchange": ("the exchange", "NASDAQ"),
    "failed": ("syncs that failed for good", 2),
    "finished_at": ("when it ended; null: it has not ended", None),
    "first_bar_at": ("open time of the oldest stored bar; null: no bar is stored", None),
    "first_errors": ("the syncs that failed first", None),
    "forming": ("the bar that has not closed yet; null: none is known", None),
    "high": ("the highest price", 190.4),
    "high_price": ("highest price of the day", 190.4),
    "host": ("name of the machine it runs on", "node-1"),
    "in_progress": ("calls to the provider in progress", 12),
    "inserted": ("bars that were not stored before", 3),
    "interval": ("bar length; case matters: `1m` is a minute, `1M` a month", "1d"),
    "intervals": ("bar lengths; case matters", ["1h", "1d"]),
    "job_id": ("id of the job", _JOB_ID),
    "key_id": ("id of the key", "3f1c0a9b7d2e"),
    "kind": ("kind of the request: `sync`, `bulk` or `schedule:…`", "bulk"),
    "last_bar_at": ("open time of the newest stored bar; null: no bar is stored", None),
    "last_job_id": ("job of the last run; null: none", _JOB_ID),
    "last_price": ("the last price", 189.95),
    "last_reason": ("why the last failed call failed; null: none failed", "throttled"),
    "last_run_at": ("when it last ran; null: it has not run yet", None),
    "last_seen": ("when it last announced itself", None),
    "last_success_at": ("when a run last succeeded; null: none has yet", None),
    "last_sync_at": ("when it was last brought up to date; null: never", None),
    "live": ("which of the bars were built from quotes", None),
    "low": ("the lowest price", 188.7),
    "low_price": ("lowest price of the day", 188.7),
    "message": ("explanation for people", "the provider does not know this symbol"),
    "mongodb": ("MongoDB", "ok"),
    "n_bars": ("how many of the newest bars to fetch per series, at most", 500),
    "name": ("name of the schedule", "all-series"),
    "next_attempt_at": ("when the next attempt is due; null: at once, or there is none", None),
    "next_cursor": ("`cursor` of the next page; null on the last page", "AQAAAABlud2AXxqLJg"),
    "next_run_at": ("when it runs next; null: it does not", None),
    "open": ("the first price", 189.1),
    "pace": ("how fast the provider is called", None),
    "partial": ("true: part of the bar's time was not seen", False),
    "paused": ("true: it runs only on request", False),
    "pid": ("process id on that machine", 4711),
    "prev_close": ("close of the previous day", 189.15),
    "query": ("part of the ticker or of the name, in any case", "apple"),
    "queued": ("syncs that are waiting", 5),
    "queues": ("what is waiting in each queue", None),
    "reconnects": ("times it connected again", 0),
    "redis": ("Redis: cache and live quotes", "ok"),
    "refused": ("symbols that the provider does not serve", None),
    "resampled_from": (
        "stored interval from which these bars were computed; null: they are stored themselves",
        "5m",
    ),
    "retried": ("how many are tried again", 2),
    "running": ("syncs in progress", 2),
    "schedules": ("what runs when", None),
    "seconds_since_last_success": ("seconds since a run last succeeded; null: never", 1800),
    "shard": ("the part of the symbols it streams", "1-of-2"),
    "slots": ("tasks that can run at the same time", 32),
    "started_at": ("when it started", None),
    "streamers": ("processes that stream quotes", None),
    "symbol": ("the ticker at its exchange", "AAPL"),
    "ticks": ("trades seen", 48211),
    "total": ("all syncs of the job", 500),
    "totals": ("sums over all workers", None),
    "type": ("type, in the provider's words", "stock"),
    "unchanged": ("bars that were stored with the same values", 495),
    "unit_id": ("id of the sync", f"{_JOB_ID}-42"),
    "units": ("open syncs of all jobs", None),
    "unreadable": ("symbols whose quotes could not be read, with counts and reasons", None),
    "version": ("version of PocketQuant it runs", "0.1.0"),
    "volume": ("traded volume; null: unknown", 55859400.0),
    "workers": ("processes that run syncs", None),
}


def complete(document: Document, nested: Mapping[str, Document]) -> None:
    """Add the missing descriptions and examples to a model's fields and to its nested models'."""
    for model in (document, *nested.values()):
        for name, field in model.get("properties", {}).items():
            text, example = _WORDS.get(name, ("", None))
            if text:
                field.setdefault("description", text)
            fits = example is not None and _fits(example, field, nested)
            shown = example if fits else _example(field, nested)
            if shown != "":
                field.setdefault("examples", [shown])


def described_path(rule: str) -> list[Document]:
    """Return OpenAPI parameters for the names in a route that the vocabulary knows."""
    return [
        {"in": "path", "name": name, "description": _WORDS[name][0], "example": _WORDS[name][1]}
        for name in _PATH_PARAMETER.findall(rule)
        if name in _WORDS
    ]


def _example(field: Document, nested: Mapping[str, Document]) -> Any:
    """Return an example for the field; an empty string where none can be derived."""
    if "examples" in field:
        return field["examples"][0]
    if field.get("default") is not None:
        return field["default"]
    if "$ref" in field:
        return _example(nested[field["$ref"].removeprefix(_REFERENCE)], nested)
    if "enum" in field:
        return field["enum"][0]
    if "anyOf" in field:
        return _example(field["anyOf"][0], nested)
    return _example_of_type(field, nested)


def _fits(example: Any, field: Document, nested: Mapping[str, Document]) -> bool:
    """Whether the example of a name is valid in this field, which may hold another model."""
    model = nested[field["$ref"].removeprefix(_REFERENCE)] if "$ref" in field else field
    return "properties" not in model and example in model.get("enum", [example])


def _example_of_type(field: Document, nested: Mapping[str, Document]) -> Any:
    if field.get("type") == "array":
        return [_example(field["items"], nested)]
    if "properties" in field:
        return {
            name: _example(each, nested)
            for name, each in _fields_with_examples(field, nested).items()
        }
    if field.get("format") == "date-time":
        return _MOMENT
    return {"object": {}, "integer": 1, "number": 1.5, "boolean": True}.get(field["type"], "")


def _fields_with_examples(model: Document, nested: Mapping[str, Document]) -> dict[str, Document]:
    """Return the model's fields, each with the example of its name where that is valid."""
    examples = {name: _WORDS.get(name, ("", None))[1] for name in model["properties"]}
    return {
        name: {"examples": [examples[name]], **field}
        if examples[name] is not None and _fits(examples[name], field, nested)
        else field
        for name, field in model["properties"].items()
    }
