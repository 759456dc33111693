"""The model that answers now, verified, loaded and immutable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.bundle import read_card, read_report
from models.champions import Published, bundle_folder, load_champion
from models.scorer import Scorer
from serving.answers import EvidenceOut

# Learners that know nothing of an entity.
_RATES = frozenset({"base_rate", "hazard_rate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Past rows, not seen in training, of probabilities nearer to `middle` than to that of any other bin."""

    middle: float
    n: int
    realised: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """One task's published model.

    Attributes
    ----------
    task : str
        The task.
    published : Published
        Digest, version and moment of publication.
    predictor : Scorer
        Answers; one parameter set, so that threads may share it.
    bins : tuple of Bin
        Evidence.
    report : mapping
        The training report.
    cards : mapping
        The model card by language.
    """

    task: str
    published: Published
    predictor: Scorer
    bins: tuple[Bin, ...]
    report: dict[str, object]
    cards: dict[str, str]

    @property
    def version(self) -> str:
        """What people call it: the registry's version, else the beginning of the digest."""
        return self.published.version or self.published.digest[:12]

    @property
    def is_flat(self) -> bool:
        """Whether it was trained on a flat table: rows are asked as they are, without history."""
        return self.predictor.about.horizon_days is None

    @property
    def is_base_rate(self) -> bool:
        """Whether it found no signal: its answer is how often, and when, the event comes to any entity."""
        about = self.predictor.about
        return about.kind == "base_rate" or about.learner in _RATES

    def evidence(self, probability: float) -> EvidenceOut | None:
        """What happened to past rows of about this probability; None where the card has none."""
        if not self.bins:
            return None
        nearest = min(self.bins, key=lambda one: abs(one.middle - probability))
        return EvidenceOut(n=nearest.n, realised=nearest.realised)


def read_champion(folder: Path, task: str) -> Champion | None:
    """The champion of a task, None when nothing was published.

    Raises
    ------
    BadBundle
        Its files are damaged.
    """
    loaded = load_champion(folder, task)
    if loaded is None:
        return None
    published, predictor = loaded
    home = bundle_folder(folder, task, published)
    report = read_report(home)
    return Champion(
        task=task,
        published=published,
        predictor=predictor,
        bins=_bins(report.get("calibration")),
        report=report,
        cards={language: read_card(home, language) for language in ("en", "zh")},
    )


def _bins(stated: object) -> tuple[Bin, ...]:
    """The bins of a report's calibration table: tenths of the test window."""
    if not isinstance(stated, list):
        return ()
    return tuple(
        Bin(middle=float(entry["mean_probability"]), n=int(entry["n"]), realised=float(entry["event_rate"]))
        for entry in stated
    )
