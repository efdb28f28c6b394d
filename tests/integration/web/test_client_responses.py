"""The types of the client's responses, beside the API's own document."""

import inspect
from typing import Any, get_type_hints

import pytest

from pocketquant.client import responses
from pocketquant.settings import Settings
from web.app import create_app

# The model of the OpenAPI document that each type describes.
MODELS = {
    "JobCounts": "JobCounts",
    "Unit": "UnitOut",
    "Job": "JobOut",
    "EstimateTotal": "TotalOut",
    "ExpectedBars": "ExpectedOut",
    "Estimate": "EstimateOut",
    "BackfillJob": "BackfillOut",
    "BackfillProgress": "CameOut",
    "JobProgress": "JobProgressOut",
    "Cancellation": "CancellationOut",
    "CodeCount": "CodeCountOut",
    "Retried": "RetriedOut",
    "SyncResult": "SyncOut",
    "SyncStatus": "SyncStatusOut",
    "Session": "SessionOut",
    "Doubt": "DoubtOut",
    "Calendar": "CalendarOut",
    "Covered": "CoveredOut",
    "Coverage": "CoverageOut",
    "Event": "EventOut",
    "Events": "EventsOut",
    "Untraded": "UntradedOut",
    "Hole": "HoleOut",
    "HolesReport": "HolesOut",
    "Outlier": "OutlierOut",
    "OutliersReport": "OutliersOut",
    "Difference": "DifferenceOut",
    "Differences": "DifferencesOut",
    "StripPart": "StripPartOut",
    "Change": "ChangeOut",
    "Revision": "RevisionOut",
    "Provenance": "ProvenanceOut",
    "SeriesQuality": "QualityOut",
    "RegisteredSymbol": "SymbolOut",
    "FoundSymbol": "FoundSymbolOut",
    "SearchPage": "SearchOut",
    "Bar": "BarOut",
    "FormingBar": "FormingOut",
    "LivePart": "LiveOut",
    "BarsPage": "OhlcvOut",
    "BarColumns": "ColumnsOut",
    "ColumnsPage": "OhlcvColumnsOut",
    "RefusedBar": "RefusedBarOut",
    "ImportResult": "ImportOut",
    "WatchState": "WatchOut",
    "Quote": "QuoteOut",
    "CurrentBar": "CurrentBarOut",
    "StreamerState": "StreamerOut",
    "RefusedSymbol": "RefusedOut",
    "UnreadableSymbol": "UnreadableOut",
    "QuotesStatus": "QuotesStatusOut",
    "Schedule": "ScheduleOut",
    "ApiKey": "KeyOut",
    "NewApiKey": "NewKeyOut",
    "Access": "AccessOut",
    "Worker": "WorkerOut",
    "Queue": "QueueOut",
    "Beat": "BeatOut",
    "Breaker": "BreakerOut",
    "Pace": "PaceOut",
    "Totals": "TotalsOut",
    "UnitCounts": "UnitsOut",
    "FleetSchedule": "FleetScheduleOut",
    "FleetStreamer": "FleetStreamerOut",
    "Fleet": "FleetOut",
}
TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The models of the API's document, from an application that connects to nothing."""
    nowhere = {"mongodb_url": "mongodb://127.0.0.1:1", "redis_url": "redis://127.0.0.1:1"}
    app = create_app(Settings(_env_file=None, **nowhere))
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    found: dict[str, Any] = document["components"]["schemas"]
    return found


def test_every_type_is_compared() -> None:
    """None is left out of the table."""
    defined = [name for name, each in vars(responses).items() if inspect.isclass(each)]
    public = [name for name in defined if not name.startswith("_")]
    assert sorted(MODELS) == sorted(name for name in public if name != "TypedDict")


@pytest.mark.parametrize("name", MODELS)
def test_a_type_has_the_fields_of_the_document(schemas: dict[str, Any], name: str) -> None:
    """All of them, each of the same type; what the API may leave out may be missing."""
    answer, model = getattr(responses, name), schemas[MODELS[name]]
    assert set(model["required"]) == answer.__required_keys__
    hints = get_type_hints(answer)
    fields = model["properties"]
    expected = {field: _described(schema, schemas) for field, schema in fields.items()}
    assert expected == {field: _written(hint) for field, hint in hints.items()}


def _described(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "$ref" in schema:
        model = schema["$ref"].rpartition("/")[2]
        named = {one: ours for ours, one in MODELS.items()}
        return named.get(model) or _described(schemas[model], schemas)
    if "anyOf" in schema:
        return " | ".join(_described(one, schemas) for one in schema["anyOf"])
    if schema["type"] == "array":
        return f"list[{_described(schema['items'], schemas)}]"
    if schema["type"] == "object":
        return f"dict[str, {_described(schema['additionalProperties'], schemas)}]"
    return TYPES[schema["type"]]


def _written(hint: Any) -> str:
    text = hint.__name__ if inspect.isclass(hint) and not hasattr(hint, "__origin__") else str(hint)
    return text.replace("pocketquant.client.responses.", "")
