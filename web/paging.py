"""Pagination: flask-smorest's metadata in the header `X-Pagination`."""

from flask import json
from flask_smorest.pagination import PaginationMixin

from web.schemas.requests import PageQuery

HEADER = PaginationMixin.PAGINATION_HEADER_NAME
DOCUMENTED = {
    HEADER: {
        "description": "JSON with `total` and `total_pages`, and the page numbers `first_page`,"
        " `last_page`, `page`, `previous_page` and `next_page` where such pages exist",
        "schema": {"type": "string"},
    }
}


def headers_of(query: PageQuery, total: int) -> dict[str, str]:
    """Return the header that describes this page of a list with `total` entries."""
    metadata = PaginationMixin._make_pagination_metadata(query.page, query.page_size, total)
    return {HEADER: json.dumps(metadata)}
