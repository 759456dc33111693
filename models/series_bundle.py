"""A trained forecast as text: which candidates count how much where, and how far outcomes lay from the forecast.

The candidates themselves are fitted anew on the present record whenever something is forecast; what was learned from
the replayed past is plain numbers, verified like every other bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.bundle import CARD, GOLDEN, MODEL, REPORT, dump, seal_folder, verify_bundle
from models.joint_rules import JointRules
from models.predictor import BadBundle
from models.series_combine import Radii, Rule, combine, floored, spread

Floats: TypeAlias = npt.NDArray[np.float64]
Cell: TypeAlias = tuple[str, str, int]

SERIES = "series"
FAN = {"en": "fan.en.svg", "zh": "fan.zh.svg"}
COMPONENTS = {"en": "components.en.svg", "zh": "components.zh.svg"}
_N_GOLDEN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesModel:
    """What answers: rules by measure, level and bucket.

    Parameters
    ----------
    task : str
        The task.
    fitted_until : str
        The last closed month that it learned from, `2026-05`.
    quantiles : tuple of float
        What is said of every month.
    bucket_ends : tuple of int
        Last month ahead of each bucket.
    candidates : tuple of str
        Forecasters to ask, the baseline first.
    country : str
        Holiday calendar.
    seed : int
        Random state of the booster.
    rules, baseline_rules : mapping of cell to Rule
        By (measure, level, place of the bucket).
    answers : mapping of (str, str) to str
        By (measure, level): `forecast`, or `base_rate` where seasonal naive answers.
    joint : JointRules
        How the joint sample is made coherent and widened; its draws come from the rows of the record when it is made.
    """

    task: str
    fitted_until: str
    quantiles: tuple[float, ...]
    bucket_ends: tuple[int, ...]
    candidates: tuple[str, ...]
    country: str
    seed: int
    rules: Mapping[Cell, Rule]
    baseline_rules: Mapping[Cell, Rule]
    answers: Mapping[tuple[str, str], str]
    joint: JointRules = field(default_factory=JointRules)

    @property
    def horizon(self) -> int:
        """Months ahead that it can say something of."""
        return self.bucket_ends[-1]

    def rule(self, measure: str, level: str, step: int) -> Rule | None:
        """What is done with a number of months ahead, 1 being the next; None for what was never learned."""
        bucket = int(np.searchsorted(self.bucket_ends, step))
        answers_baseline = self.answers.get((measure, level)) == "base_rate"
        return (self.baseline_rules if answers_baseline else self.rules).get((measure, level, bucket))

    def answer(
        self, measure: str, level: str, said: Mapping[str, Floats], scale: float, *, is_positive: bool
    ) -> tuple[Floats, Floats]:
        """The forecast of one series and its quantiles.

        Parameters
        ----------
        measure, level : str
            Where the series stands.
        said : mapping of str to ndarray of float64, shape (horizon,)
            What each candidate says of the next months.
        scale : float
            Size of the series' surprises.
        is_positive : bool
            Whether it cannot be negative.

        Returns
        -------
        expected : ndarray of float64, shape (horizon,)
            NaN beyond what was learned.
        quantiles : ndarray of float64, shape (horizon, n_quantiles)
            Rising; NaN where nothing was learned of ranges.
        """
        expected = np.full(self.horizon, np.nan)
        quantiles = np.full((self.horizon, len(self.quantiles)), np.nan)
        floor = np.array([is_positive])
        for step in range(1, self.horizon + 1):
            rule = self.rule(measure, level, step)
            if rule is None:
                continue
            at = {name: values[step - 1 : step] for name, values in said.items()}
            value = floored(combine(at, rule.weights), floor) * rule.factor
            expected[step - 1] = value[0]
            if rule.radii.at:
                quantiles[step - 1] = floored(spread(value, np.array([scale]), rule.radii), floor)[0]
        return expected, quantiles


def save_series(
    model: SeriesModel, folder: Path, *, cards: Mapping[str, str], report: str, plots: Mapping[str, str]
) -> str:
    """Write a bundle into a new folder and return its digest; `plots` by file name, the rest as `save_bundle`."""
    files = {MODEL: _to_json(model), REPORT: report, GOLDEN: _golden(model)}
    files |= {CARD[language]: text for language, text in cards.items()}
    files |= plots
    return seal_folder(folder, files, task=model.task, kind=SERIES)


def load_series(folder: Path, digest: str | None = None) -> SeriesModel:
    """The model of a verified folder.

    Raises
    ------
    BadBundle
        The folder is damaged or not what it claims to be.
    """
    verify_bundle(folder, digest)
    try:
        content = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        return SeriesModel(
            task=content["task"],
            fitted_until=content["fitted_until"],
            quantiles=tuple(content["quantiles"]),
            bucket_ends=tuple(content["bucket_ends"]),
            candidates=tuple(content["candidates"]),
            country=content["country"],
            seed=int(content["seed"]),
            rules=_rules_from(content["rules"]),
            baseline_rules=_rules_from(content["baseline_rules"]),
            answers={(entry["measure"], entry["level"]): entry["status"] for entry in content["answers"]},
            joint=_joint_from(content["joint"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadBundle(f"{folder.name}: {MODEL} cannot be read: {type(error).__name__}") from None


def _to_json(model: SeriesModel) -> str:
    return dump(
        {
            "task": model.task,
            "fitted_until": model.fitted_until,
            "quantiles": list(model.quantiles),
            "bucket_ends": list(model.bucket_ends),
            "candidates": list(model.candidates),
            "country": model.country,
            "seed": model.seed,
            "rules": _rules_to(model.rules),
            "baseline_rules": _rules_to(model.baseline_rules),
            "answers": [
                {"measure": measure, "level": level, "status": status}
                for (measure, level), status in sorted(model.answers.items())
            ],
            "joint": asdict(model.joint),
        }
    )


def _rules_to(rules: Mapping[Cell, Rule]) -> list[dict[str, object]]:
    return [
        {
            "measure": measure,
            "level": level,
            "bucket": bucket,
            # A list keeps the order in which weights are summed, and with it the last bit.
            "weights": [[name, weight] for name, weight in rule.weights.items()],
            "factor": rule.factor,
            "n": rule.radii.n,
            "radii": list(rule.radii.at),
        }
        for (measure, level, bucket), rule in sorted(rules.items())
    ]


def _rules_from(entries: list[dict[str, object]]) -> dict[Cell, Rule]:
    found: dict[Cell, Rule] = {}
    for entry in entries:
        weights, radii = entry["weights"], entry["radii"]
        assert isinstance(weights, list)
        assert isinstance(radii, list)
        found[str(entry["measure"]), str(entry["level"]), int(str(entry["bucket"]))] = Rule(
            weights={str(name): float(weight) for name, weight in weights},
            factor=float(str(entry["factor"])),
            radii=Radii(n=int(str(entry["n"])), at=tuple(float(radius) for radius in radii)),
        )
    return found


def _joint_from(content: Mapping[str, object]) -> JointRules:
    methods, residuals, company, part, rep = (
        content[name] for name in ("methods", "residuals", "company_spread", "part_spread", "rep_spread")
    )
    assert isinstance(methods, dict)
    assert isinstance(residuals, dict)
    assert isinstance(company, dict)
    assert isinstance(part, dict)
    assert isinstance(rep, dict)
    return JointRules(
        methods=methods,
        residuals={
            measure: {node: tuple(values) for node, values in nodes.items()} for measure, nodes in residuals.items()
        },
        company_spread={measure: tuple(values) for measure, values in company.items()},
        part_spread={measure: tuple(values) for measure, values in part.items()},
        rep_spread={measure: float(value) for measure, value in rep.items()},
    )


def _golden(model: SeriesModel) -> str:
    """Made-up candidates' words for a few cells, with the answers that the model gives to them."""
    random = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for measure, level in sorted(model.answers)[:_N_GOLDEN]:
        said = {name: np.round(random.uniform(0, 100, model.horizon), 1) for name in model.candidates}
        expected, quantiles = model.answer(measure, level, said, 10.0, is_positive=True)
        rows.append(
            {
                "measure": measure,
                "level": level,
                "said": {name: values.tolist() for name, values in said.items()},
                "expected": _plain(expected),
                "quantiles": [_plain(row) for row in quantiles],
            }
        )
    return json.dumps({"rows": rows}, allow_nan=False)


def _plain(values: Floats) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def require_series_golden(model: SeriesModel, folder: Path) -> int:
    """The number of golden rows, after all were reproduced bit for bit.

    Raises
    ------
    BadBundle
        An answer differs.
    """
    rows = json.loads((folder / GOLDEN).read_text(encoding="utf-8"))["rows"]
    for place, row in enumerate(rows):
        said = {name: np.array(values, dtype=np.float64) for name, values in row["said"].items()}
        expected, quantiles = model.answer(row["measure"], row["level"], said, 10.0, is_positive=True)
        if _plain(expected) != row["expected"] or [_plain(each) for each in quantiles] != row["quantiles"]:
            raise BadBundle(f"golden row {place}: the loaded model says something else than the trained one")
    if not rows:
        raise BadBundle("no golden rows")
    return len(rows)
