"""The OpenAPI document agrees with the handlers."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pytest
from flask import Flask, Request
from flask.testing import FlaskClient
from referencing import Registry, Resource
from werkzeug.datastructures import EnvironHeaders
from werkzeug.routing import Rule

from pocketquant.domain.bars import Bars
from pocketquant.domain.shards import all_shards
from web.smorest_pydantic import PydanticBlueprint

Json = dict[str, Any]

# Headers read in every request, documented as security schemes or defined by HTTP itself.
GATE_HEADERS = {"X-API-Key", "Authorization", "Host", "Origin", "Access-Control-Request-Method"}
HTTP_HEADERS = {"Content-Type", "Content-Length", "Transfer-Encoding", "Cookie", "Accept"}
WITH_HEADERS_OF_THEIR_OWN = {
    "GET /api/v1/market-data/ohlcv/<exchange>/<path:symbol>",
    "POST /api/v1/market-data/sync",
    "POST /api/v1/market-data/sync/background",
    "POST /api/v1/market-data/sync/bulk",
}
ENDLESS = ("/events", "/stream")


@dataclass
class Notes:
    """The headers that a handler has read, and whether it has read the query."""

    headers: set[str] = field(default_factory=set)
    has_read_query: bool = False


def recording_request(notes: Notes) -> type[Request]:
    """Returns a request class that records which parts of a request are read."""

    class Headers(EnvironHeaders):
        def _get_key(self, key: str) -> str:  # every access to a header calls this
            notes.headers.add(key)
            return super()._get_key(key)

    class RecordingRequest(Request):
        def __init__(self, environ: Any, *arguments: Any, **options: Any) -> None:
            super().__init__(environ, *arguments, **options)
            self.headers = Headers(environ)

        @property
        def args(self) -> Any:
            notes.has_read_query = True
            return super().args

    return RecordingRequest


@pytest.fixture
def document(client: FlaskClient) -> Json:
    found: Json = client.get("/api/v1/openapi.json").get_json()
    return found


@pytest.fixture
def operations(client: FlaskClient, document: Json) -> list[tuple[Rule, str, Json]]:
    """Each operation of the document with its route and method."""
    return list(described(client.application, document))


def described(app: Flask, document: Json) -> Iterator[tuple[Rule, str, Json]]:
    for rule in app.url_map.iter_rules():
        path = "".join(f"{{{part}}}" if is_name else part for is_name, part in rule._trace)
        item = document["paths"].get(path.removeprefix("|"), {})
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            if method.lower() in item:
                yield rule, method, item | {"operation": item[method.lower()]}


def named(item: Json, location: str) -> set[str]:
    """Returns the names of an operation's parameters in one location, its path's included."""
    parameters = [*item.get("parameters", ()), *item["operation"].get("parameters", ())]
    return {each["name"] for each in parameters if each["in"] == location}


def declared_query(app: Flask, rule: Rule, method: str) -> set[str]:
    """Returns the fields of the models that a view takes as its query."""
    blueprint_name, _, view = rule.endpoint.partition(".")
    blueprint = app.blueprints[blueprint_name]
    assert isinstance(blueprint, PydanticBlueprint)
    arguments = blueprint._docs[view][method.lower()].get("arguments", {}).get("parameters", [])
    models = [each["schema"].model for each in arguments if each["in"] == "query"]
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def test_the_document_introduces_the_api(document: Json) -> None:
    """It has a description, servers, and groups in the order of use; an interval can be typed."""
    assert "Authorize" in document["info"]["description"]
    assert ["/"] == [server["url"] for server in document["servers"]]
    groups = [group["name"] for group in document["tags"]]
    assert ["syncs", "backfills", "jobs", "bars", "symbols", "calendars"] == groups[:6]
    parameters = document["paths"]["/api/v1/market-data/ohlcv/{exchange}/{symbol}"]["get"]
    (interval,) = (each for each in parameters["parameters"] if each["name"] == "interval")
    assert not {"enum", "anyOf"} & interval["schema"].keys()
    assert all(re.fullmatch(interval["schema"]["pattern"], each) for each in ("1d", "1M", "90m"))


def test_every_query_parameter_is_in_the_document(
    client: FlaskClient, operations: list[tuple[Rule, str, Json]]
) -> None:
    """The document has exactly the parameters that each handler takes; others are refused."""
    assert len(operations) > 30
    expected, found = {}, {}
    for rule, method, item in operations:
        operation = f"{method} {rule}"
        expected[operation] = declared_query(client.application, rule, method)
        found[operation] = named(item, "query")
    assert expected == found
    assert {"timeout"} == found["POST /api/v1/market-data/sync"]


@pytest.mark.parametrize("known", [True, False])
def test_every_header_that_a_handler_reads_is_in_the_document(
    client: FlaskClient,
    operations: list[tuple[Rule, str, Json]],
    document: Json,
    store: Callable[..., None],
    daily: Callable[[int], Bars],
    known: bool,
) -> None:
    """It has no header that a handler does not read, and a query only where one is read."""
    if known:
        store("NASDAQ:AAPL|1d", daily(3))
    services = client.application.extensions["pocketquant"]
    while services.waiting_calls.acquire(blocking=False):
        pass
    succeeded: set[str] = set()
    for rule, method, item in operations:
        if rule.rule.endswith(ENDLESS):
            continue
        client.application.request_class = recording_request(notes := Notes())
        body = body_of(item, document)
        answer = client.open(path_of(rule, item), method=method, json=body)
        read = notes.headers - GATE_HEADERS - HTTP_HEADERS
        operation, documented = f"{method} {rule}", named(item, "header")
        assert set() == read - documented, operation
        if known and answer.status_code < 300:
            succeeded.add(operation)
            assert set() == documented - read, operation
        if notes.has_read_query:
            assert named(item, "query"), operation
        answer.close()
    assert not known or WITH_HEADERS_OF_THEIR_OWN <= succeeded


def path_of(rule: Rule, item: Json) -> str:
    examples = {"exchange": "NASDAQ", "symbol": "AAPL", "name": "all-series"}
    values = {name: examples.get(name, "X") for name in rule.arguments}
    built = rule.build(values, append_unknown=False)
    assert built
    return built[1]


def body_of(item: Json, document: Json) -> Json | None:
    """Returns a body made of the examples of the required fields."""
    if "requestBody" not in item["operation"]:
        return None
    schema = item["operation"]["requestBody"]["content"]["application/json"]["schema"]
    model = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
    return {name: model["properties"][name]["examples"][0] for name in model.get("required", ())}


def test_every_example_matches_its_schema(document: Json) -> None:
    """This holds for examples of fields and of parameters."""
    wrong, count = [], 0
    registry = Registry().with_resource(
        "urn:document",
        Resource.from_contents(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
        ),
    )
    for path, schema, example in examples(document, ""):
        count += 1
        validator = jsonschema.Draft202012Validator(absolute(schema), registry=registry)
        wrong += [f"{path}: {example!r}: {each.message}" for each in validator.iter_errors(example)]
    assert count > 200
    assert [] == wrong


def examples(node: Any, path: str) -> Iterator[tuple[str, Json, Any]]:
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from examples(each, f"{path}/{number}")
    if not isinstance(node, dict):
        return
    if isinstance(node.get("examples"), list):
        yield from ((path, node, each) for each in node["examples"])
    elif "example" in node and "schema" in node:
        yield path, node["schema"], node["example"]
    for name, each in node.items():
        yield from examples(each, f"{path}/{name}")


def absolute(node: Any) -> Any:
    """Returns the schema with references that contain the document's URN."""
    if isinstance(node, list):
        return [absolute(each) for each in node]
    if isinstance(node, dict):
        return {
            name: f"urn:document{each}" if name == "$ref" else absolute(each)
            for name, each in node.items()
        }
    return node


def test_the_example_of_a_shard_is_a_valid_name(document: Json) -> None:
    """`GET /quotes/status` names streamers in this way."""
    shard = document["components"]["schemas"]["StreamerOut"]["properties"]["shard"]
    assert [all_shards(2)[0].name] == shard["examples"]
