"""Training the collection risk: rows from the record, a learner chosen on earlier invoices, fitted on all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.store import Generation
from features.build import build_features
from features.catalogue import group_named
from features.custom import why_no_field
from features.invoice_rows import InvoiceRows, build_invoice_rows
from features.matrix import Field
from models.hazard_task import HazardTask
from models.payment import PaymentModel, fit_payment

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedPayment:
    """A model of payment and how it was chosen.

    Parameters
    ----------
    model : PaymentModel or None
        None when the training was refused.
    learner, reason : str
        Its learner, or why there is none.
    losses : dict of str to float
        By learner, mean log loss of a row's days on the earlier window that decided.
    rows : InvoiceRows
        What it was fitted on.
    features : pa.Table
        Their features.
    fields : tuple of Field
        Those that say something in these rows.
    """

    model: PaymentModel | None
    learner: str
    reason: str
    losses: dict[str, float]
    rows: InvoiceRows
    features: pa.Table
    fields: tuple[Field, ...]


def train_payment(
    task: HazardTask, generation: Generation, *, zone: ZoneInfo, until: datetime | None, seed: int
) -> TrainedPayment:
    """The model that the record of a moment supports.

    Parameters
    ----------
    task : HazardTask
        Feature groups, candidates simplest first, share of the window that decides, gates.
    generation : Generation
        The record.
    zone : ZoneInfo
        Where the company's days begin.
    until : datetime or None
        What became known later is not looked at; None for all of the record.
    seed : int
        Random state.

    Notes
    -----
    A later candidate must beat the best before it on the newest invoices, scored at issue by models that know what
    was known before the first of them, by more than the standard error of the difference.
    """
    rows, features, fields = _read(task, generation, zone=zone, until=until)
    at_issue = np.asarray(rows.age_days == 1)
    n_paid = int(rows.take(at_issue).is_paid.sum())
    refusal = "" if n_paid >= task.gates.min_closed else f"{n_paid} paid invoices; {task.gates.min_closed} are needed"
    losses: dict[str, Floats] = {}
    if not refusal:
        issued = np.sort(rows.issued_on[at_issue])
        first = issued[int(len(issued) * (1 - task.folds.test_share))]
        cut = datetime.combine(first.item(), time(), tzinfo=zone)
        past, past_features, past_fields = _read(task, generation, zone=zone, until=cut)
        newest = at_issue & (rows.issued_on >= first)
        if not past.is_paid.any():
            refusal = "no invoice was paid before the newest ones were issued"
        else:
            judged, judged_features = rows.take(newest), features.filter(pa.array(newest))
            for learner in task.candidates:
                model = fit_payment(learner, past, past_features, past_fields, seed=seed)
                losses[learner] = model.losses(judged, judged_features)
    best = "" if refusal else _simplest_best(task.candidates, losses)
    return TrainedPayment(
        model=None if refusal else fit_payment(best, rows, features, fields, seed=seed),
        learner=best,
        reason=refusal,
        losses={learner: float(loss.mean()) for learner, loss in losses.items()},
        rows=rows,
        features=features,
        fields=fields,
    )


def _read(
    task: HazardTask, generation: Generation, *, zone: ZoneInfo, until: datetime | None
) -> tuple[InvoiceRows, pa.Table, tuple[Field, ...]]:
    groups = [group_named(name) for name in task.feature_groups]
    rows = build_invoice_rows(generation, zone=zone, until=until)
    features = build_features(generation, groups, rows.spine, zone=zone)
    fields = (field for group in groups for field in group.fields)
    return rows, features, tuple(f for f in fields if why_no_field(features.column(f.name), f) is None)


def _simplest_best(learners: tuple[str, ...], losses: dict[str, Floats]) -> str:
    best = learners[0]
    for learner in learners[1:]:
        gain = losses[best] - losses[learner]
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            best = learner
    return best
