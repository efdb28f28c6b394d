"""pydantic models for flask-smorest, wherever it takes a marshmallow schema.

`schema_of(Model)` is a marshmallow schema that loads, dumps and documents by the model. A view
receives instances of the model and returns them.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from copy import deepcopy
from http import HTTPStatus
from typing import Any, ClassVar, cast

import marshmallow
import pydantic
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Request
from flask_smorest import Blueprint
from pydantic.json_schema import GenerateJsonSchema
from webargs.flaskparser import FlaskParser, abort, is_json_request
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict

from pocketquant.storage.access import Scope
from web import request_log, strict_json
from web.current import current_request
from web.vocabulary import complete, described_path

Document = dict[str, Any]
View = Callable[..., Any]
Decorator = Callable[[View], View]

SECURITY_SCHEMES: dict[str, Document] = {
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "a key that `pocketquant keys create` or `POST /keys` made",
    },
    "Bearer": {"type": "http", "scheme": "bearer", "description": "the same key as a bearer token"},
}

# Statuses that PydanticParser answers: not JSON, too large, another media type.
_BODY_REFUSED = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)

# Statuses of every route that needs a key; storage may be away when it is looked up, and later.
_GATE_STATUSES = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_REFERENCE = "#/components/schemas/{model}"


def default_scope(methods: Iterable[str]) -> Scope:
    """Return the scope of a route that names none: `read` for reading, else `admin`."""
    return Scope.READ if _READING.issuperset(methods) else Scope.ADMIN


class PydanticSchema(marshmallow.Schema):
    """A marshmallow schema that calls a pydantic model."""

    model: ClassVar[type[pydantic.BaseModel]]

    def load(self, data: Any, **_: object) -> Any:
        """Return the model of a body, path parameters or a query string.

        Raise a marshmallow ValidationError that lists every problem as `{loc, msg, type}`.
        """
        values = _single_values(cast(Any, data.data)) if isinstance(data, MultiDictProxy) else data
        try:
            return self.model.model_validate(values)
        except pydantic.ValidationError as error:
            several = _several(values) if isinstance(data, MultiDictProxy) else frozenset()
            raise marshmallow.ValidationError(cast(Any, _problems(error, several))) from error

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Return plain values for JSON, of one model or of a list of models."""
        if self.many if many is None else many:
            return [each.model_dump(mode="json") for each in obj]
        return obj.model_dump(mode="json")


def schema_of(model: type[pydantic.BaseModel], many: bool = False) -> PydanticSchema:
    """Return the schema of `model`, or of a list of such models."""
    return _facade(model)(many=many)


@functools.cache
def _facade(model: type[pydantic.BaseModel]) -> type[PydanticSchema]:
    return type(f"{model.__name__}Schema", (PydanticSchema,), {"model": model})


class PydanticParser(FlaskParser):
    """Parses paths and queries into models; bodies must be `application/json`, strictly."""

    def use_args(  # type: ignore[override]
        self, argmap: Any, *, location: str, **options: Any
    ) -> Decorator:
        """Pass the model to the view: of a path or a query without webargs' detours."""
        if location not in _VALUES:
            return cast(Decorator, super().use_args(argmap, location=location, **options))
        values_of, model = _VALUES[location], argmap.model

        def parsing(wrapper: View) -> View:
            view = getattr(wrapper, "__wrapped__", wrapper)  # flask-smorest's only calls the view

            @functools.wraps(wrapper)
            def parsed(*arguments: Any, **path: Any) -> Any:
                try:
                    given = model.model_validate(values_of(current_request()))
                except pydantic.ValidationError:
                    given = self.parse(argmap, location=location)  # which answers 422
                return view(*arguments, given, **path)

            return parsed

        return parsing

    def load_json(self, req: Request, schema: marshmallow.Schema) -> Any:  # noqa: ARG002
        if not is_json_request(req):
            abort(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message="the body must be application/json")
        body = req.get_data()
        if req.content_length is None and len(body) == req.max_content_length:
            abort(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)  # werkzeug cuts a chunked body off there
        try:
            return strict_json.decode(body)
        except RecursionError as error:
            abort(HTTPStatus.BAD_REQUEST, exc=error, message="the body is nested too deeply")
        except ValueError as error:
            abort(HTTPStatus.BAD_REQUEST, exc=error, message=f"the body is not JSON: {error}")


class PydanticBlueprint(Blueprint):
    """A blueprint with strict bodies, scopes and complete documents.

    Its decorators that only document leave the view as it is: flask-smorest's wrap it once each,
    and every request would pass all of these wrappers.
    """

    ARGUMENTS_PARSER = PydanticParser()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.scopes: dict[str, Scope] = {}  # needed of a key, by the name of the view

    def route(
        self,
        rule: str,
        *,
        scope: Scope | None = None,
        needs_key: bool = True,
        **options: Any,
    ) -> Decorator:
        """flask-smorest's `route`; the view's name is the operation's id in the document.

        Without a scope, reading needs `read` and everything else `admin`.
        """
        needed = scope or default_scope(options.get("methods", ("GET",)))

        given = options.get("parameters", ())
        options["parameters"] = [*described_path(rule), *given, request_log.DOCUMENTED]

        def routed(view: View) -> View:
            if needs_key:
                self.scopes[view.__name__] = needed
                view = self.fails_with(*_GATE_STATUSES)(view)
            security = [{name: [needed.value]} for name in SECURITY_SCHEMES] if needs_key else []
            named = self.doc(operationId=view.__name__, security=security)(view)
            return cast(View, super(PydanticBlueprint, self).route(rule, **options)(named))

        return routed

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Decorator:
        """flask-smorest's `arguments`; a body has its errors in the document."""
        decorate = super().arguments(schema, location=location, **options)
        refused = _BODY_REFUSED if location == "json" else ()
        return lambda view: self.fails_with(*refused)(decorate(view))

    @staticmethod
    def doc(**fields: Any) -> Decorator:
        """flask-smorest's `doc`, without its wrapper."""
        return _documenting(Blueprint.doc(**fields))

    def alt_response(self, *arguments: Any, **options: Any) -> Decorator:
        """flask-smorest's `alt_response`, without its wrapper."""
        return _documenting(super().alt_response(*arguments, **options))

    def takes_headers(self, *headers: Document) -> Decorator:
        """Document headers that a view reads; its other parameters stay as they are."""

        def documented(view: View) -> View:
            described = cast(Any, view)
            described._apidoc = deepcopy(getattr(view, "_apidoc", {}))
            arguments = described._apidoc.setdefault("arguments", {})
            arguments.setdefault("parameters", []).extend(headers)
            return view

        return documented

    def fails_with(self, *statuses: HTTPStatus) -> Decorator:
        """Document the errors of a view beside those of its key, its body and the storage.

        An answer of this status that the view documents itself stays.
        """

        def documented(view: View) -> View:
            own = getattr(view, "_apidoc", {}).get("response", {}).get("responses", {})
            for status in statuses:
                if status not in own:
                    view = self.alt_response(status, status.name)(view)
            return view

        return documented

    def answers_as(
        self,
        status: HTTPStatus,
        models: Sequence[PydanticSchema],
        media: Mapping[str, Document],
        headers: Mapping[str, Document],
    ) -> Decorator:
        """Document the answer of several forms: any of these models as JSON, other media."""
        content = {"application/json": {"schema": {"anyOf": [*models]}}, **media}
        document = {"description": status.phrase, "content": content, "headers": headers}
        return self.doc(responses={str(status.value): document})


def _documenting(decorate: Decorator) -> Decorator:
    """Return a decorator that gives a view the document of `decorate`'s wrapper."""

    def documented(view: View) -> View:
        cast(Any, view)._apidoc = cast(Any, decorate(view))._apidoc
        return view

    return documented


class PydanticPlugin(MarshmallowPlugin):
    """Documents models in OpenAPI 3.1, whose schemas are what pydantic makes."""

    class Converter(OpenAPIConverter):
        def schema2jsonschema(self, schema: Any) -> Document:
            if isinstance(schema, PydanticSchema):
                return self._document(schema.model)
            return cast(Document, super().schema2jsonschema(schema))  # type: ignore[no-untyped-call]

        def resolve_nested_schema(self, schema: Any) -> Any:
            """Return a reference, also to a model that another model's document brought along."""
            if isinstance(schema, PydanticSchema):
                name = schema.model.__name__
                if name in self.spec.components.schemas:
                    reference = {"$ref": _REFERENCE.format(model=name)}
                    return {"type": "array", "items": reference} if schema.many else reference
            return super().resolve_nested_schema(schema)  # type: ignore[no-untyped-call]

        def schema2parameters(self, schema: Any, *, location: str, **_: object) -> list[Document]:
            document = self._document(schema.model)
            required = document.get("required", ())
            return [
                _parameter(name, location, name in required, field)
                for name, field in document["properties"].items()
            ]

        def _document(self, model: type[pydantic.BaseModel]) -> Document:
            document = model.model_json_schema(
                ref_template=_REFERENCE, schema_generator=_UntitledFields
            )
            nested_models = document.pop("$defs", {})
            complete(document, nested_models)
            for name, nested in nested_models.items():
                if name not in self.spec.components.schemas:
                    self.spec.components.schema(name, nested)
            return document


class _UntitledFields(GenerateJsonSchema):
    """Fields get no title beside their name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def _problems(error: pydantic.ValidationError, several: Set[str]) -> list[Document]:
    """Return each problem; of a parameter given several times, only that."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {
            **problem,
            "msg": "given more than once"
            if len(problem["loc"]) == 1 and problem["loc"][0] in several
            else problem["msg"].removeprefix("Value error, "),
        }
        for problem in found
    ]


def _several(values: Document) -> Set[str]:
    return {name for name, value in values.items() if isinstance(value, list)}


def _single_values(query: MultiDict[str, Any]) -> Document:
    """Return each parameter's value, or the list of them where it was given several times."""
    return {name: values[0] if len(values) == 1 else values for name, values in query.lists()}


_VALUES: dict[str, Callable[[Request], Any]] = {
    "path": lambda request: request.view_args,
    "query": lambda request: _single_values(request.args),
}


def _parameter(name: str, location: str, is_required: bool, field: Document) -> Document:
    schema = dict(field)
    description = schema.pop("description", "")
    return {
        "in": location,
        "name": name,
        "required": is_required,
        "description": description,
        "schema": schema,
    }
