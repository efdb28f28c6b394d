"""The one document of every error."""

from typing import Any

from pydantic import BaseModel, Field


class ErrorOut(BaseModel):
    """Every error of the API."""

    code: int = Field(description="HTTP status", examples=[422])
    status: str = Field(description="its name", examples=["Unprocessable Entity"])
    error: str = Field(description="stable name of the error", examples=["invalid_request"])
    message: str = Field(description="for people", examples=["the request is not valid"])
    errors: dict[str, Any] = Field(
        default_factory=dict,
        description="problems by place (`json`, `query`, `path`) as a list of"
        " `{loc, msg, type}`; or the `job_id` of a sync that failed",
        examples=[{"json": [{"loc": ["n_bars"], "msg": "…", "type": "less_than_equal"}]}],
    )
