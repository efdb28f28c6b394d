"""The response body of every error."""

from typing import Any

from pydantic import BaseModel, Field


class ErrorOut(BaseModel):
    """An error; every error of the API has this form."""

    code: int = Field(description="HTTP status", examples=[422])
    status: str = Field(description="name of the HTTP status", examples=["Unprocessable Entity"])
    error: str = Field(
        description="stable name of the error, for programs", examples=["invalid_request"]
    )
    message: str = Field(
        description="explanation for people", examples=["the request is not valid"]
    )
    errors: dict[str, Any] = Field(
        default_factory=dict,
        description="details: for an invalid request, lists of `{loc, msg, type}` under `json`,"
        " `query` or `path`; for a failed sync, its `job_id`",
        examples=[{"json": [{"loc": ["n_bars"], "msg": "…", "type": "less_than_equal"}]}],
    )
