"""Pages: flask-smorest's metadata in the header `X-Pagination`."""

from flask import json
from flask_smorest.pagination import PaginationMixin

from web.schemas.given import PageQuery

HEADER = PaginationMixin.PAGINATION_HEADER_NAME
DOCUMENTED = {
    HEADER: {
        "description": "JSON with `total`, `total_pages`, `first_page`, `last_page`, `page`,"
        " `previous_page`, `next_page`, as far as there are such",
        "schema": {"type": "string"},
    }
}


def offset_of(query: PageQuery) -> int:
    return (query.page - 1) * query.page_size


def headers_of(query: PageQuery, total: int) -> dict[str, str]:
    """Which page of how many this is."""
    place = PaginationMixin._make_pagination_metadata(query.page, query.page_size, total)
    return {HEADER: json.dumps(place)}
