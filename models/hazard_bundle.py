"""Hazards ready to answer, and their bundle of kind `hazard`: LightGBM's text or curves as JSON, grid and causes.

The folder is sealed and verified like any other bundle. Answering needs NumPy and LightGBM's shared library alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.additive import additive_from_json, additive_to_json
from models.ahead import COLUMNS, StepsAhead, credited_fields, steps_ahead
from models.booster import Booster
from models.bundle import BOOSTER, CARD, GOLDEN, MODEL, PLOT, REPORT, dump, seal_folder, verify_bundle
from models.calibrator import IDENTITY, Calibrator, calibrator_from_json, calibrator_to_json
from models.encoding import Encoder, Values, coding_from_json, coding_to_json
from models.explain import Reason, explain_rows, find_reasons
from models.hazard import HazardModel
from models.hazard_reasons import contributions_within
from models.headline import AGE, PAID, PAST_DUE, NextLine, lines_from_json
from models.person_period import grid_from_json, grid_to_json
from models.predictor import N_REASONS, About, BadBundle, Days, Prediction, score_of
from models.survival import Incidence, recalibrate

Floats: TypeAlias = npt.NDArray[np.float64]

KIND = "hazard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HazardPredictor:
    """Hazards ready to answer: encoder, model, calibrators. Immutable and safe to share.

    Parameters
    ----------
    about : About
        What it is; its kind is `hazard`.
    encoder : Encoder
        From named values to rows.
    model : HazardModel
        The hazards.
    calibrators : tuple of Calibrator
        One a cause, for its chance within `horizon`; empty leaves the hazards as they are.
    horizon : float
        An edge of the grid: where the calibrators were learned.
    ahead_names : tuple of str
        What is known of every step ahead, names in `models.ahead.COLUMNS`.
    extras : mapping
        What the task's details need beside the hazards; JSON values by name.
    lines : NextLine or None
        The lines that a row may cross without the event, whose staying away is then asked for.

    Raises
    ------
    BadBundle
        The parts do not fit together.
    """

    about: About
    encoder: Encoder
    model: HazardModel
    calibrators: tuple[Calibrator, ...] = ()
    horizon: float = 0.0
    ahead_names: tuple[str, ...] = ()
    extras: Mapping[str, object] = field(default_factory=dict)
    lines: NextLine | None = None

    def __post_init__(self) -> None:
        if self.about.kind != KIND:
            raise BadBundle(f"kind {self.about.kind!r}; expected {KIND}")
        if self.model.n_fields != len(self.encoder.codings) or self.model.n_ahead != len(self.ahead_names):
            raise BadBundle("hazards: the model's columns are not those of the encoder and the calendar")
        unknown = [name for name in self.ahead_names if name not in COLUMNS]
        if unknown:
            raise BadBundle(f"hazards: nothing is known of the column {unknown[0]!r} ahead")
        is_edge = self.lines is not None or self.horizon in self.model.grid.edges[1:]
        if self.calibrators and (len(self.calibrators) != len(self.model.causes) or not is_edge):
            raise BadBundle("hazards: expected a calibrator for every cause, learned at an edge of the grid")
        width = self.model.n_fields + self.model.n_ahead + 1
        if self.model.booster_text is not None:
            booster = Booster(self.model.booster_text)
            if (booster.n_fields, booster.n_classes) != (width, len(self.model.causes) + 1):
                raise BadBundle(f"booster of {booster.n_fields} columns and {booster.n_classes} classes")
        if any(len(each.terms) != width for each in self.model.additives):
            raise BadBundle(f"hazards: expected additive models of {width} terms")

    @property
    def calibrator(self) -> Calibrator:
        """From the log-odds of the event within the horizon, as the hazards give them, to honest ones."""
        found = self.calibrators[self.model.causes.index(self._cause)] if self.calibrators else IDENTITY
        return found if self.lines is None else found.mirrored()

    @property
    def _cause(self) -> str:
        return self.about.event if self.lines is None else PAID

    def _ahead(self, rows: Floats, on: Days | None) -> StepsAhead | None:
        return steps_ahead(self.ahead_names, self.encoder, rows, on, self.model.grid)

    def incidence_rows(self, rows: Floats, on: Days | None = None) -> Incidence:
        """Calibrated incidence of encoded rows, shape (n_rows, n_fields)."""
        plain = self.model.incidence(rows, self._ahead(rows, on))
        return recalibrate(plain, self.windows(rows), self.calibrators) if self.calibrators else plain

    def predict_rows(self, rows: Floats, on: Days | None = None) -> Floats:
        """Chance of the event within each row's window, of encoded rows, shape (n_rows,)."""
        found = self.incidence_rows(rows, on).by(self.windows(rows), self._cause)
        return found if self.lines is None else 1.0 - found

    def windows(self, rows: Floats) -> Floats:
        """Days within which the event counts, of encoded rows, shape (n_rows,)."""
        if self.lines is None:
            return np.full(len(rows), self.horizon or float(self.about.horizon_days or self.model.grid.end))
        return self.lines.horizons(*self._age_and_due(rows))

    def events(self, rows: Floats) -> list[str]:
        """What the probability of each encoded row speaks of."""
        if self.lines is None:
            return [self.about.event] * len(rows)
        return [str(event) for event in self.lines.events(*self._age_and_due(rows))]

    def _age_and_due(self, rows: Floats) -> tuple[Floats, Floats]:
        place = {field.name: at for at, field in enumerate(self.encoder.fields)}
        unknown = np.full(len(rows), np.nan)
        age, past_due = (rows[:, place[name]] if name in place else unknown for name in (AGE, PAST_DUE))
        return age, past_due

    def predict_table(self, table: pa.Table, on: Days | None = None) -> Floats:
        """Chance of the event within the headline horizon, of a table's rows, same order."""
        return self.predict_rows(self.encoder.encode_table(table), on)

    def contributions(self, rows: Floats, on: Days | None = None) -> Floats:
        """Log-odds that each field adds before calibration, shape (n_rows, n_fields + 1); last column: the rest."""
        found = contributions_within(
            self.model,
            rows,
            self.windows(rows),
            self._cause,
            self._ahead(rows, on),
            credited_fields(self.ahead_names, self.encoder),
        )
        return found if self.lines is None else -found

    def predict(self, values: Values, on: date | None = None, *, n_reasons: int = 0) -> Prediction:
        """The answer for one record.

        Raises
        ------
        BadValue
            A value is of the wrong kind.
        """
        rows = self.encoder.encode(values)
        days = None if on is None else np.array([on], dtype="datetime64[D]")
        probability = float(self.predict_rows(rows, days)[0])
        reasons: tuple[Reason, ...] = ()
        if n_reasons:
            parts = self.contributions(rows, days)[0]
            reasons = find_reasons(self.encoder.fields, values, parts, self.calibrator, most=n_reasons)
        return Prediction(probability=probability, score=score_of(probability), reasons=reasons)

    def explain_table(
        self, table: pa.Table, on: Days | None = None, *, n_reasons: int = N_REASONS
    ) -> list[tuple[Reason, ...]]:
        """Reasons of a table's rows, same order."""
        return explain_rows(self, table, on, n_reasons=n_reasons)


def save_hazard(
    predictor: HazardPredictor,
    folder: Path,
    *,
    cards: Mapping[str, str],
    report: str,
    golden: str,
    plots: Mapping[str, str] | None = None,
) -> str:
    """Write a bundle of kind `hazard` into a new folder and return its digest.

    Parameters
    ----------
    predictor : HazardPredictor
        The model.
    folder : Path
        Must not exist yet.
    cards : mapping
        Model card by language, `en` and `zh`.
    report, golden : str
        The training report, and synthetic rows with their answers, both JSON.
    plots : mapping or None
        Calibration plot as SVG by language, beside the cards.
    """
    model, about = predictor.model, predictor.about
    content = {
        "about": {name: getattr(about, name) for name in About.__slots__},
        "fields": [coding_to_json(coding) for coding in predictor.encoder.codings],
        "learner": model.learner,
        "grid": grid_to_json(model.grid),
        "causes": list(model.causes),
        "ahead": list(predictor.ahead_names),
        "additives": [additive_to_json(each) for each in model.additives],
        "calibrators": [calibrator_to_json(each) for each in predictor.calibrators],
        "horizon": predictor.horizon,
        "extras": dict(predictor.extras),
        "lines": None if predictor.lines is None else predictor.lines.to_json(),
    }
    files = {MODEL: dump(content), REPORT: report, GOLDEN: golden}
    files |= {CARD[language]: text for language, text in cards.items()}
    files |= {PLOT[language]: text for language, text in (plots or {}).items()}
    if model.booster_text is not None:
        files[BOOSTER] = model.booster_text
    return seal_folder(folder, files, task=about.task, kind=KIND)


def load_hazard(folder: Path, digest: str | None = None) -> HazardPredictor:
    """The hazards of a verified folder.

    Parameters
    ----------
    folder : Path
        The bundle.
    digest : str or None
        What it must be; None takes any unchanged bundle.

    Raises
    ------
    BadBundle
        The folder is damaged or holds no hazards.
    """
    verify_bundle(folder, digest)
    try:
        content = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        encoder = Encoder([coding_from_json(entry) for entry in content["fields"]])
        booster, ahead = folder / BOOSTER, tuple(str(name) for name in content["ahead"])
        return HazardPredictor(
            about=About(**content["about"]),
            encoder=encoder,
            model=HazardModel(
                learner=str(content["learner"]),
                grid=grid_from_json(content["grid"]),
                causes=tuple(str(name) for name in content["causes"]),
                n_fields=len(encoder.codings),
                n_ahead=len(ahead),
                additives=tuple(additive_from_json(entry) for entry in content["additives"]),
                booster_text=booster.read_text(encoding="utf-8") if booster.exists() else None,
            ),
            calibrators=tuple(calibrator_from_json(entry) for entry in content["calibrators"]),
            horizon=float(content["horizon"]),
            ahead_names=ahead,
            extras=dict(content["extras"]),
            lines=None if content["lines"] is None else lines_from_json(content["lines"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadBundle(f"{folder.name}: {MODEL} cannot be read: {type(error).__name__}") from None
