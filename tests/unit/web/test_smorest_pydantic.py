"""pydantic models in flask-smorest."""

from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from pydantic import BaseModel, ConfigDict, Field

from web.errors import Api
from web.smorest_pydantic import PydanticBlueprint, PydanticPlugin, schema_of


class Colour(BaseModel):
    red: int = Field(strict=True, ge=0, description="how red", examples=[7])


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=5)
    colours: list[Colour] = []


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    page: int = Field(1, ge=1, description="which page")
    word: str


blueprint = PydanticBlueprint("things", __name__, url_prefix="/things")


@blueprint.route("/", methods=["POST"])
@blueprint.arguments(schema_of(Thing))
@blueprint.response(201, schema_of(Thing))
@blueprint.fails_with()
def make_thing(thing: Thing) -> Thing:
    """Make a thing"""
    return thing


@blueprint.route("/")
@blueprint.arguments(schema_of(Filter), location="query")
@blueprint.response(200, schema_of(Thing, many=True))
def list_things(wanted: Filter) -> list[Thing]:
    """List things"""
    return [Thing(name=wanted.word) for _ in range(wanted.page)]


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("things")
    app.config.update(
        API_TITLE="things",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        MAX_CONTENT_LENGTH=200_000,
    )
    api = Api(app, spec_kwargs={"marshmallow_plugin": PydanticPlugin()})
    api.register_blueprint(blueprint)
    return app.test_client()


def test_a_view_receives_and_returns_models(client: FlaskClient) -> None:
    """A body becomes a model, a model becomes an answer."""
    thing = {"name": "apple", "colours": [{"red": 200}]}
    made = client.post("/things/", json=thing)
    assert (201, thing) == (made.status_code, made.json)


def test_a_view_returns_lists_of_models(client: FlaskClient) -> None:
    """`many` answers with a list; query values are read from text."""
    listed = client.get("/things/?word=pear&page=2")
    assert [{"name": "pear", "colours": []}] * 2 == listed.json


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        ({"name": "too long"}, ["name"], "string_too_long"),
        ({"name": "fig", "colours": [{"red": -1}]}, ["colours", 0, "red"], "greater_than_equal"),
        ({"name": "fig", "colours": [{"red": True}]}, ["colours", 0, "red"], "int_type"),
        ({"name": "fig", "size": 1}, ["size"], "extra_forbidden"),
        ({}, ["name"], "missing"),
        ([], [], "model_type"),
        ("text", [], "model_type"),
        (7, [], "model_type"),
    ],
)
def test_invalid_values_are_422_with_their_location(
    client: FlaskClient, body: Any, place: list[Any], kind: str
) -> None:
    """Problems are listed with place, message and type, and in one sentence."""
    refused = client.post("/things/", json=body)
    problem = refused.get_json()["errors"]["json"][0]
    assert (422, place, kind) == (refused.status_code, problem["loc"], problem["type"])
    assert problem["msg"] in refused.get_json()["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{'name': 'fig'}", b'{"name": NaN}', b"\xff", b"[" * 100_000, b"9" * 5000]
)
def test_a_body_that_is_not_json_is_400(client: FlaskClient, body: bytes) -> None:
    """Also an empty one, NaN, broken UTF-8, endless nesting and endless numbers."""
    refused = client.post("/things/", data=body, content_type="application/json")
    assert (400, "bad_request") == (refused.status_code, refused.get_json()["error"])


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_content_type_is_415(client: FlaskClient, content_type: str | None) -> None:
    """Bodies are JSON and say so."""
    refused = client.post("/things/", data=b'{"name": "fig"}', content_type=content_type)
    assert (415, "unsupported_media_type") == (refused.status_code, refused.get_json()["error"])


def test_a_chunked_body_over_the_limit_is_413(client: FlaskClient) -> None:
    """Its length is not announced, and its beginning must not be taken as the whole body."""
    body = b'{"name": "fig"}' + b" " * 200_000
    refused = client.post(
        "/things/",
        input_stream=BytesIO(body),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert (413, "request_too_large") == (refused.status_code, refused.get_json()["error"])


@pytest.mark.parametrize("query", ["word=a&word=b", "word=a&colour=red", "page=1", "word=a&page=0"])
def test_a_query_is_as_strict_as_a_body(client: FlaskClient, query: str) -> None:
    """A repeated, unknown, missing or bad parameter is 422."""
    refused = client.get(f"/things/?{query}")
    assert 422 == refused.status_code
    assert "query" in refused.get_json()["errors"]


def test_the_document_is_valid_and_complete(client: FlaskClient) -> None:
    """OpenAPI 3.1 with models as components, parameters described, errors and ids."""
    document = client.get("/openapi.json").get_json()
    validate(document)
    assert {"Thing", "Colour", "ErrorOut"} <= document["components"]["schemas"].keys()
    operations = document["paths"]["/things/"]
    assert "make_thing" == operations["post"]["operationId"]
    of_the_body, of_the_key = {"400", "413", "415", "422"}, {"401", "403", "429", "503"}
    statuses = {"201", *of_the_body, *of_the_key, "default"}
    assert statuses == operations["post"]["responses"].keys()
    page, word = operations["get"]["parameters"]
    assert ("page", "query", False, "which page") == (
        page["name"],
        page["in"],
        page["required"],
        page["description"],
    )
    assert (True, {"type": "string"}) == (word["required"], word["schema"])
