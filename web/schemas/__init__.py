"""Pydantic models of all requests and responses; the OpenAPI document is made from them."""
