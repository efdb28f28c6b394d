"""Generated valid and invalid requests to the whole API get only documented responses.

SCHEMATHESIS_CASES is about how many requests are made, spread evenly over the operations that
take input.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import hypothesis
import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from pocketquant.domain.errors import TooManyStreams
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Symbol
from pocketquant.settings import Settings
from pocketquant.simulator import server
from pocketquant.storage.access import Scope
from pocketquant.wiring import Platform

_CASES = int(os.environ.get("SCHEMATHESIS_CASES", "500"))
_CHECKS = [
    status_code_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
]
# Of the server in front of the views: what is no path of ours, and what is not HTTP by the letter.
_OF_ANY_PATH = {"400", "404", "405"}
_FUZZING = hypothesis.settings(
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    deadline=None,
    derandomize=True,
    database=None,
)


@pytest.fixture
def admin(platform: Platform) -> dict[str, str]:
    """The headers of a caller with the admin scope."""
    _, text = platform.api_keys.create("schemathesis", Scope.ADMIN, int(time.time()), None)
    return {"X-API-Key": str(text)}


@pytest.fixture
def document(
    serve: Callable[..., FlaskClient],
    settings: Settings,
    admin: dict[str, str],
) -> Iterator[OpenApiSchema]:
    """The document, and behind it an app that neither waits for workers nor streams."""
    with server.running() as simulator:
        changes = {"tradingview_search_url": simulator.http_url, "api_rate_limit": ""}
        client = serve(settings.model_copy(update=changes))
        site = client.application.extensions["pocketquant"]
        while site.waiting_calls.acquire(blocking=False):
            pass
        with suppress(TooManyStreams):
            while True:
                site.streams.take(None)
        apple = Listing(Symbol.parse("NASDAQ:AAPL"), "Apple Inc.", "stock", "USD", "UTC", "24x7")
        site.platform.symbols.register(apple, Interval.D1, now=1_700_000_000)
        made = schemathesis.openapi.from_wsgi(
            "/api/v1/openapi.json", client.application, headers=admin
        )
        made.config.generation.update(with_security_parameters=False)
        yield made


@pytest.mark.timeout(1800)
def test_every_response_is_one_of_the_document(
    document: OpenApiSchema, admin: dict[str, str]
) -> None:
    """No status, type, header or body is undocumented, and none is 500."""
    operations = [found.ok() for found in document.get_all_operations()]
    taking = [each for each in operations if each.body or list(each.iter_parameters())]
    count = -(-_CASES // (2 * len(taking)))
    made = sum(
        _try_out(operation, mode, count, admin)
        for operation in operations
        for mode in GenerationMode
    )
    assert made > 0.8 * _CASES  # some operations have only few possible requests


def _try_out(
    operation: APIOperation, mode: GenerationMode, count: int, headers: dict[str, str]
) -> int:
    """Makes up to `count` requests of an operation; returns how many were made."""
    made = 0
    plain = {**headers, "Accept-Encoding": "identity"}  # its client in process unpacks nothing
    promised = {str(status) for status in operation.definition.raw["responses"]}

    @hypothesis.settings(_FUZZING, max_examples=count)
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Case) -> None:
        nonlocal made
        made += 1
        answer = case.call(headers=plain)
        assert str(answer.status_code) in promised | _OF_ANY_PATH, case.as_curl_command()
        case.validate_response(answer, checks=_CHECKS)

    with suppress(Unsatisfiable):  # an operation without input has no invalid request
        check()
    return made
