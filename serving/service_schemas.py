"""The form of answers about the service itself: whether it can answer, and what went wrong."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from serving.schemas import Answer


class Live(Answer):
    """The process runs."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "live"}]})

    status: str = Field(description="live.")


class Ready(Answer):
    """Which parts of the service are there; `status` is ready when all are."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "degraded",
                    "parts": {
                        "record": "ready",
                        "lead_score": "not possible: the record has no leads",
                        "collection_risk.champion": "ready",
                        "collection_risk.scores": "ready",
                        "forecast": "older than the record or the model: salescast forecast",
                        "database": "ready",
                    },
                }
            ]
        }
    )

    status: str = Field(description="ready, degraded (answers, but a part is missing) or not ready (503).")
    parts: dict[str, str] = Field(
        description="Each part with `ready`, or what it lacks and which command mends it; a task that the record has "
        "no tables for is `not possible`, and nothing waits for it."
    )


class ProblemAnswer(Answer):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:salescast:problem:malformed-request",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "The request does not fit the form that the documentation of this route states.",
                    "instance": "urn:salescast:request:6f1e0c7e4be24f0f9a1b2c3d4e5f6a7b",
                    "request_id": "6f1e0c7e4be24f0f9a1b2c3d4e5f6a7b",
                    "errors": [{"location": "body.ids", "message": "required"}],
                }
            ]
        }
    )

    type: str = Field(description="`urn:salescast:problem:<name>`: the name is stable, branch on it.")
    title: str = Field(description="The phrase of the status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong, for people; it never repeats what was sent.")
    instance: str = Field(description="`urn:salescast:request:<request_id>`.")
    request_id: str = Field(description="As in the header `X-Request-Id`; the server's log holds it.")
    errors: list[ProblemField] = Field(description="Where in the request, at most 20 places; often empty.")


class ProblemField(Answer):
    """Where in the request something is wrong."""

    location: str = Field(description="The place, such as `body.ids.3` or `query.fresh`.")
    message: str = Field(description="What was expected there.")


ProblemAnswer.model_rebuild()
