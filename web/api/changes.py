"""A stream of what has changed, so that programs need not look again and again."""

from http import HTTPStatus

from flask import Response

from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint
from web.streams import change_events

blueprint = PydanticBlueprint(
    "changes", __name__, url_prefix="/changes", description="when to look again"
)


@blueprint.route("/stream")
@blueprint.response(
    HTTPStatus.OK,
    content_type="text/event-stream",
    description="a `changed` event with a list of kinds, at most one a second; if nothing changes"
    " for 15 s, a comment",
)
def stream_changes() -> Response:
    """Stream which kinds of things have changed, as server-sent events

    The kinds: `jobs` (one was requested, cancelled or tried again), `schedules` (one was made,
    changed or removed, or has begun a run), `subscriptions` (of quotes). A running job has a
    stream of its own. Every kind is sent at first, and where changes may have been missed. A
    stream ends after an hour; 503 as for the stream of quotes.
    """
    services = current_services()
    return change_events.stream(services.streams, services.change_feed)
