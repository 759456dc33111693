"""The form of answers about models, and of predictions as they were kept."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from serving.schemas import EXAMPLE_ROW, Answer
from serving.score_answers import AnyRow

_MODEL: JsonDict = {
    "task": "lead_score",
    "question_en": "Which open leads will we win?",
    "question_zh": "哪些线索会成交？",
    "model_version": "3",
    "digest": "9f2c",
    "kind": "booster",
    "event": "opportunity won",
    "horizon_days": 90,
    "base_rate": 0.184,
    "fitted_until": "2026-03-31T16:00:00",
}
_VERSION: JsonDict = {
    "version": "3",
    "digest": "9f2c",
    "published_at": "2026-04-01T02:00:00+00:00",
    "action": "promote",
}


class ModelVersion(Answer):
    """One publication of a model."""

    version: str = Field(description="The version in the registry.")
    digest: str = Field(description="SHA-256 of the model's manifest: equal digests are the same model.")
    published_at: str = Field(description="When it began to answer, ISO 8601.")
    action: str = Field(description="promote or rollback.")


class ModelSummary(Answer):
    """What answers for one task; everything but the task and its question is null before a promotion."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MODEL]})

    task: str = Field(description="The name of the task.")
    question_en: str = Field(description="What it answers, in English.")
    question_zh: str = Field(description="What it answers, in Chinese.")
    model_version: str | None = Field(description="The version that answers.")
    digest: str | None = Field(description="SHA-256 of its manifest.")
    kind: str | None = Field(description="booster, linear, blend, hazard or base_rate.")
    event: str | None = Field(description="What the probability is of.")
    horizon_days: int | None = Field(description="Days within which the event counts.")
    base_rate: float | None = Field(description="The share of training rows that had the event, 0 to 1.")
    fitted_until: str | None = Field(description="The last moment of its training rows.")


class ModelList(Answer):
    """All tasks."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"models": [_MODEL]}]})

    models: list[ModelSummary] = Field(description="One entry a task.")


class ModelCard(Answer):
    """One task's champion: its card, its history and its figures."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": _MODEL,
                    "card_en": "# lead_score ...",
                    "card_zh": "# lead_score ...",
                    "inputs": ["channel", "employees"],
                    "figures": {"test.auc": 0.81, "baseline.auc": 0.78},
                    "versions": [_VERSION],
                }
            ]
        }
    )

    model: ModelSummary = Field(description="What answers.")
    card_en: str | None = Field(description="The model card, Markdown, in English.")
    card_zh: str | None = Field(description="The model card, Markdown, in Chinese.")
    inputs: list[str] = Field(description="The features it reads.")
    figures: dict[str, float | None] = Field(description="How it was judged on the newest rows, beside the baseline.")
    versions: list[ModelVersion] = Field(description="What answered, the newest last.")


class StoredPrediction(Answer):
    """One answered row as it was kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prediction_id": "0198a1f0c3e47d5c9b0e8f6a7d21c4b5",
                    "task": "lead_score",
                    "entity_id": "L-1042",
                    "as_of": "2026-03-31T16:00:00Z",
                    "model_version": "3",
                    "digest": "9f2c",
                    "created_at": "2026-04-01T02:10:00Z",
                    "answer": EXAMPLE_ROW,
                }
            ]
        }
    )

    prediction_id: str = Field(description="Its id.")
    task: str = Field(description="The task that answered.")
    entity_id: str = Field(description="Whom it is about; empty for a record without an id.")
    as_of: datetime | None = Field(description="The moment of the answer, UTC.")
    model_version: str = Field(description="The version that answered.")
    digest: str = Field(description="SHA-256 of that model's manifest.")
    created_at: datetime = Field(description="When it was answered, UTC.")
    answer: AnyRow = Field(description="The row, as it was answered.")
