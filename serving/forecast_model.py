"""The forecast's champion as the routes about models tell it, read from its folder when somebody asks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.bundle import read_card, read_report
from models.champions import Published, bundle_folder, history
from models.series_bundle import SERIES, load_series
from models.tasks.sales_forecast import TASK


def read_forecast_model(folder: Path) -> dict[str, object]:
    """Card, figures and history of the forecast's champion, as `ModelCard`; nulls before a promotion.

    Raises
    ------
    BadBundle
        Its files are damaged.
    """
    entries = history(folder, TASK.name)
    summary: dict[str, object] = {
        "task": TASK.name,
        "question_en": TASK.question_en,
        "question_zh": TASK.question_zh,
        **dict.fromkeys(
            ("model_version", "digest", "kind", "event", "horizon_days", "base_rate", "fitted_until"),
        ),
    }
    if not entries:
        return {
            "model": summary,
            "card_en": None,
            "card_zh": None,
            "inputs": [],
            "figures": {},
            "versions": [],
        }
    entry = entries[-1]
    home = bundle_folder(folder, TASK.name, entry)
    model = load_series(home, entry.digest)
    report = read_report(home)
    summary |= {
        "model_version": entry.version or entry.digest[:12],
        "digest": entry.digest,
        "kind": SERIES,
        "event": report.get("event"),
        "fitted_until": model.fitted_until,
    }
    return {
        "model": summary,
        "card_en": read_card(home, "en"),
        "card_zh": read_card(home, "zh"),
        "inputs": list(model.candidates),
        "figures": figures_of(report),
        "versions": versions_of(entries),
    }


def versions_of(entries: Sequence[Published]) -> list[dict[str, str]]:
    """The publications of a task, the newest last."""
    return [
        {"version": e.version, "digest": e.digest, "published_at": e.published_at, "action": e.action} for e in entries
    ]


def figures_of(report: Mapping[str, object]) -> dict[str, float | None]:
    """The metrics of a training report as flat names.

    Examples
    --------
    >>> figures_of({"metrics": {"test": {"auc": 0.9}, "baseline": {"auc": 0.8}}})
    {'test.auc': 0.9, 'baseline.auc': 0.8}
    """
    metrics = report.get("metrics")
    found: dict[str, float | None] = {}
    for part, values in metrics.items() if isinstance(metrics, Mapping) else ():
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
                found[f"{part}.{name}"] = float(value) if value is not None and math.isfinite(value) else None
    return found
