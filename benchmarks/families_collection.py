"""Figures of the collection risk on IBM's receivables: who pays late, when, and how much comes in each week."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.figures import Figure
from benchmarks.shared_data import shared_data
from crm.config import CompanySection, Config
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Generation, Store
from features.build import build_features
from features.invoice_rows import InvoiceRows, build_invoice_rows
from features.invoice_set import build_invoice_set, outcomes_of
from features.timed_set import TimedSet
from models.collection_details import cash_by_week
from models.hazard_fit import durations_of
from models.learn import fit_model
from models.metrics import Blocks, make_blocks
from models.person_period import Durations
from models.survival import Incidence
from models.survival_metrics import auc_at, concordance, interval_of, paired_interval_of
from models.tasks.collection_risk import TASK
from models.train_hazard import fit_hazard_task

MAPPING = Path(__file__).parents[1] / "examples" / "mappings" / "ibm_receivables.yaml"
ZONE = ZoneInfo("America/New_York")
CONFIG = Config(company=CompanySection(time_zone="America/New_York"))
# The file holds what was known when this day began.
END = datetime(2013, 5, 6, tzinfo=ZONE)
TRAIN_SHARE = 0.7
TERMS_DAYS = 30.0
"""Every invoice of the file is due after so many days."""
BASELINES = ("logistic", "booster")
N_DRAWS = 400
_DAY = np.timedelta64(1, "D")
_NAMES = ("auc", "own_rate_auc", "mae_days")
_PROTOCOL = (
    "scored on the midnight after issue; test: last 30 % by issue date, outcomes to 2013-05-05, those still open "
    "censored; the model knows what was known on the first test day, history from settled invoices only, no `Disputed`"
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tested:
    """The test invoices at issue, what was expected of them and what simple rules say."""

    rows: InvoiceRows
    outcome: Durations
    p_late: Floats
    incidence: Incidence
    own_late_share: Floats
    own_days: Floats
    baselines: dict[str, Floats]
    blocks: Blocks


def measure_collection(seed: int) -> Iterator[Figure]:
    """The figures of the collection risk, one after the other."""
    data = shared_data()
    if data is None:
        for name in (*(f"receivables_{each}" for each in _NAMES), "weekly_cash_wape"):
            yield Figure(name=f"families/ibm_{name}", value=None, protocol=_PROTOCOL)
        return
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        ingest(store, read_mapping(MAPPING), data / "ibm_receivables", config=Config(), now=datetime.now(UTC))
        tested = _test(store.current(), seed)
    yield from _late(tested)
    yield _days(tested)
    yield _cash(tested)


def _test(generation: Generation, seed: int) -> _Tested:
    issued = np.sort(build_invoice_rows(generation, zone=ZONE, until=END, weekly=False).issued_on)
    first: date = issued[int(len(issued) * TRAIN_SHARE)].item()
    cut = datetime.combine(first, time(), tzinfo=ZONE)
    learned = build_invoice_set(generation, TASK.question, config=CONFIG, until=cut)
    trained = fit_hazard_task(TASK, learned, seed=seed)
    if trained.predictor is None:
        raise RuntimeError(f"the receivables could not be trained: {trained.report.reason}")
    test = build_invoice_rows(generation, zone=ZONE, until=END, weekly=False)
    test = test.take(test.issued_on >= np.datetime64(first))
    features = build_features(generation, TASK.feature_groups, test.spine, zone=ZONE)
    told = {each.learner: (round(each.log_loss, 4), round(each.auc, 4)) for each in trained.report.candidates}
    print(f"ibm_receivables: {trained.report.learner} of {told}, {len(test.age_days)} tested", file=sys.stderr)
    encoded = trained.predictor.encoder.encode_table(features)
    at_issue = learned.take(learned.rows.column("days_since_issue").to_numpy() == 1)
    asked, outcomes = TASK.asked_of(at_issue), at_issue.outcomes
    paid = outcomes.duration_days[outcomes.cause > 0]
    return _Tested(
        rows=test,
        outcome=durations_of(outcomes_of(test)),
        p_late=trained.predictor.predict_rows(encoded, test.as_of_on),
        incidence=trained.predictor.incidence_rows(encoded, test.as_of_on),
        own_late_share=_filled(features, "own_late_share", float(np.nanmean(asked.label))),
        own_days=_filled(features, "mean_days_to_pay", float(paid.mean())),
        baselines={name: _untuned(name, at_issue, features, seed) for name in BASELINES},
        blocks=make_blocks(test.account_id, n_draws=N_DRAWS, seed=seed),
    )


def _filled(features: pa.Table, name: str, value: float) -> Floats:
    """A feature with a value for customers seen for the first time."""
    found = features.column(name).to_numpy()
    return np.where(np.isnan(found), value, found)


def _untuned(learner: str, at_issue: TimedSet, test: pa.Table, seed: int) -> Floats:
    """Log-odds of late payment from an untuned learner on the same features; fitted where the due day has passed."""
    asked = TASK.asked_of(at_issue)
    model = fit_model(asked, np.flatnonzero(np.isfinite(asked.label)), learner, seed=seed)
    return model.fitted.log_odds(model.encoder.encode_table(test))


def _late(tested: _Tested) -> Iterator[Figure]:
    metric = partial(auc_at, horizon=TERMS_DAYS, cause=1)
    outcome, p = tested.outcome, 1.0 - tested.p_late
    found = {name: metric(outcome, -score) for name, score in tested.baselines.items()}
    best = max(found, key=lambda name: found[name])
    own = interval_of(metric, outcome, -tested.own_late_share, tested.blocks)
    told = []
    for name, score in (("the own rate", tested.own_late_share), (f"untuned {best}", tested.baselines[best])):
        gap = paired_interval_of(metric, outcome, p, -score, tested.blocks)
        told.append(f"difference to {name} {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})")
    model = interval_of(metric, outcome, p, tested.blocks)
    n_open = int((~tested.rows.is_paid).sum())
    yield Figure(
        name="families/ibm_receivables_auc",
        value=model.value,
        low=model.low,
        high=model.high,
        baseline=found[best],
        goal=0.878,
        protocol=f"{_PROTOCOL}; AUC of settled by the due day, censored ones by inverse probability "
        f"({len(p)} invoices, {n_open} open); {'; '.join(told)}",
    )
    yield Figure(
        name="families/ibm_receivables_own_rate_auc",
        value=own.value,
        low=own.low,
        high=own.high,
        goal=0.878,
        protocol="same rows and measure: late share of the customer's settled invoices, the mean for first-time ones",
    )


def _days(tested: _Tested) -> Figure:
    rows = tested.rows
    paid = rows.is_paid
    # A payment on the row's own day is the first day ahead; an invoice not expected within a year stands at a year.
    expected = np.minimum(rows.age_days + np.ceil(tested.incidence.median()) - 1, 365.0)
    errors = np.abs(expected - rows.paid_days)[paid]
    rule = np.abs(tested.own_days - rows.paid_days)[paid]
    places = make_blocks(rows.account_id[paid], n_draws=N_DRAWS, seed=0).draws
    drawn = [errors[draw].mean() for draw in places]
    gap = np.quantile([(errors - rule)[draw].mean() for draw in places], [0.025, 0.975])
    ranks = concordance(tested.outcome, -tested.incidence.restricted_mean())
    ranks_rule = concordance(tested.outcome, -tested.own_days)
    return Figure(
        name="families/ibm_receivables_mae_days",
        value=float(errors.mean()),
        low=float(np.quantile(drawn, 0.025)),
        high=float(np.quantile(drawn, 0.975)),
        baseline=float(rule.mean()),
        goal=5.7,
        protocol=f"same rows, the {int(paid.sum())} settled ones; median of the distribution against the customer's "
        f"mean days; difference {gap[0]:+.2f} to {gap[1]:+.2f}; concordance with censoring {ranks:.3f} against "
        f"{ranks_rule:.3f}",
    )


def _cash(tested: _Tested) -> Figure:
    rows = tested.rows
    first, end = rows.issued_on.min(), np.datetime64(END.date())
    weeks = np.arange(first - (first.astype(np.int64) + 3) % 7 * _DAY, end, 7 * _DAY)
    came = _by_week(rows, rows.paid_days, weeks)
    model = cash_by_week(tested.incidence, rows.gross_amount, rows.as_of_on, weeks)
    by_due, by_mean = (_by_week(rows, days, weeks) for days in (rows.late_days, np.round(tested.own_days)))

    def wape(expected: Floats, draw: npt.NDArray[np.intp] | slice = slice(None)) -> float:
        total = came[draw].sum(axis=0)
        return float(np.abs(expected[draw].sum(axis=0) - total).sum() / total.sum())

    draws = tested.blocks.draws
    # No interval of its own: customers drawn twice do not cancel each other's errors within a week as different ones
    # do, so every draw looks worse than the sum it stands for. In the paired differences this falls out.
    gaps = [
        f"{name} {wape(rule):.3f} (difference {low:+.3f} to {high:+.3f})"
        for name, rule in (("due day", by_due), ("customer mean", by_mean))
        for low, high in [np.quantile([wape(model, draw) - wape(rule, draw) for draw in draws], [0.025, 0.975])]
    ]
    return Figure(
        name="families/ibm_weekly_cash_wape",
        value=wape(model),
        baseline=min(wape(by_due), wape(by_mean)),
        goal=0.21,
        protocol=f"same rows, forecast at issue, {len(weeks)} weeks from the first test day to 2013-05-05, which "
        f"censor nothing; sum of absolute weekly errors over what came; rules: {', '.join(gaps)}",
    )


def _by_week(rows: InvoiceRows, days: Floats, weeks: npt.NDArray[np.datetime64]) -> Floats:
    """The amounts in the weeks in which they come when paid so many days after issue, shape (n_rows, n_weeks)."""
    known = np.isfinite(days)
    on = rows.issued_on + np.where(known, days, 0.0).astype("timedelta64[D]")
    inside = (on[:, None] >= weeks) & (on[:, None] < weeks + 7 * _DAY) & known[:, None]
    return np.where(inside, rows.gross_amount[:, None], 0.0)
