"""One word per notion, in the API's document too.

A field or parameter that says nothing of itself means what its name means everywhere, and shows the
example of that name; one made of other models shows theirs. Only a document's texts are filled in:
what a model takes and gives stays as it is.
"""

import re
from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_IN_A_PATH = re.compile(r"<(?:\w+:)?(\w+)>")

_A_JOB = "6565f1f0a7b1c2d3e4f50617"
_A_MOMENT = "2024-01-31T14:30:00Z"

_WORDS: Mapping[str, tuple[str, Any]] = {
    "as_of": ("when this was so", _A_MOMENT),
    "ask": ("the lowest price that is asked", 189.96),
    "bar_count": ("bars stored", 5003),
    "bar_end": ("when the bar ends", "2024-01-31T14:31:00Z"),
    "bar_start": ("the open time of the bar", _A_MOMENT),
    "bars_stored": ("closed bars stored since the start", 1200),
    "beats": ("the processes that make schedules run", None),
    "bid": ("the highest price that is bid", 189.94),
    "breaker": ("whether the provider is called, or left alone for a while", None),
    "broker": ("the message broker", "ok"),
    "busy": ("slots with a sync in them", 7),
    "cancelled": ("those that were cancelled", 0),
    "change_percent": ("the change since the close before, in percent", 0.42),
    "close": ("the last price", 189.95),
    "code": ("stable name of the error", "unknown_symbol"),
    "completed": ("those that came to a good end", 493),
    "consecutive_failures": ("calls that failed in a row", 0),
    "count": ("how many", 5),
    "counts": ("syncs by state", None),
    "created_at": ("when it was asked for", _A_MOMENT),
    "data": ("the bars, in the order that was asked for", None),
    "description": ("in words", "every tracked series of every active symbol"),
    "error_message": ("the last failure in words; null: none", None),
    "exchange": ("the exchange", "NASDAQ"),
    "failed": ("those that were given up", 2),
    "finished_at": ("when it ended; null: it has not", _A_MOMENT),
    "first_bar_at": ("the open time of the oldest bar stored; null: there is none", _A_MOMENT),
    "first_errors": ("the first that failed", None),
    "forming": ("the bar that is still being built; null: none is known", None),
    "high": ("the highest price", 190.4),
    "high_price": ("the highest price of the day", 190.4),
    "host": ("the machine it runs on", "node-1"),
    "in_progress": ("calls to the provider in progress", 12),
    "interval": ("bar length; case matters: `1m` is a minute, `1M` a month", "1d"),
    "intervals": ("bar lengths; case matters", ["1h", "1d"]),
    "job_id": ("the id of the job", _A_JOB),
    "last_bar_at": ("the open time of the newest bar stored; null: there is none", _A_MOMENT),
    "last_job_id": ("the job of the last run; null: none", _A_JOB),
    "last_price": ("the last price", 189.95),
    "last_reason": ("how the last call that failed did; null: none", "throttled"),
    "last_run_at": ("when it last ran; null: it has not yet", _A_MOMENT),
    "last_seen": ("when it last told of itself", _A_MOMENT),
    "last_success_at": ("when a run last ended well; null: none has yet", _A_MOMENT),
    "last_sync_at": ("when it was last brought up to date; null: never", _A_MOMENT),
    "live": ("which of the bars were built from quotes", None),
    "low": ("the lowest price", 188.7),
    "low_price": ("the lowest price of the day", 188.7),
    "message": ("for people", "the provider does not know this symbol"),
    "mongodb": ("MongoDB", "ok"),
    "name": ("its name", "all-series"),
    "next_run_at": ("when it runs next; null: it does not", _A_MOMENT),
    "open": ("the first price", 189.1),
    "pace": ("how fast the provider is called", None),
    "paused": ("whether it runs only when asked", False),
    "pid": ("its process id there", 4711),
    "prev_close": ("the close of the day before", 189.15),
    "queued": ("those that wait", 5),
    "queues": ("what waits in the message broker", None),
    "reconnects": ("connections that were opened again", 0),
    "redis": ("the cache", "ok"),
    "refused": ("symbols that the provider does not serve", None),
    "retried": ("how many are tried again", 2),
    "running": ("those in progress", 2),
    "schedules": ("what runs when", None),
    "shard": ("its part of the symbols", "1-of-2"),
    "slots": ("syncs that can be done at a time", 32),
    "started_at": ("when it started", _A_MOMENT),
    "state": ("how far it is", None),
    "status": ("how it is", None),
    "streamers": ("the processes that watch quotes", None),
    "symbol": ("the ticker at its exchange", "AAPL"),
    "ticks": ("changes of a price seen since the start", 48211),
    "total": ("all of them", 500),
    "totals": ("of the workers together", None),
    "unit_id": ("the id of the sync", f"{_A_JOB}-42"),
    "units": ("syncs by state, of all jobs", None),
    "unreadable": ("symbols whose quotes could not be read, with how many and why", None),
    "version": ("of PocketQuant there", "0.1.0"),
    "workers": ("the processes that do syncs", None),
}


def complete(document: Document, nested: Mapping[str, Document]) -> None:
    """Fill in what the fields of a model, and of those that came with it, say nothing of."""
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
    """What is known of a route's parameters by their names."""
    return [
        {"in": "path", "name": name, "description": _WORDS[name][0], "example": _WORDS[name][1]}
        for name in _IN_A_PATH.findall(rule)
        if name in _WORDS
    ]


def _example(field: Document, nested: Mapping[str, Document]) -> Any:
    """What such a field may hold; an empty text where nothing tells."""
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
    """Whether the example of a name can stand in a field that is made of another model."""
    model = nested[field["$ref"].removeprefix(_REFERENCE)] if "$ref" in field else field
    return "properties" not in model and example in model.get("enum", [example])


def _example_of_type(field: Document, nested: Mapping[str, Document]) -> Any:
    if field.get("type") == "array":
        return [_example(field["items"], nested)]
    if "properties" in field:
        return {name: _example(each, nested) for name, each in _named(field, nested).items()}
    return {"object": {}, "integer": 1, "number": 1.5, "boolean": True}.get(field["type"], "")


def _named(model: Document, nested: Mapping[str, Document]) -> dict[str, Document]:
    """A model's fields, with the examples that their names have."""
    examples = {name: _WORDS.get(name, ("", None))[1] for name in model["properties"]}
    return {
        name: {"examples": [examples[name]], **field}
        if examples[name] is not None and _fits(examples[name], field, nested)
        else field
        for name, field in model["properties"].items()
    }
