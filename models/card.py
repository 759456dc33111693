"""The model card, in English and Chinese: what was asked, what was found, what to beware of."""

from __future__ import annotations

from models.bundle import Predictor
from models.report import TrainReport


def write_cards(report: TrainReport, predictor: Predictor) -> dict[str, str]:
    """The card as Markdown by language, `en` and `zh`."""
    return {"en": f"# {report.task}\n", "zh": f"# {report.task}\n"}
