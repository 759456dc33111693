"""How far the collection risk lies below the demo company's own truth, asked at issue."""

from __future__ import annotations

from datetime import datetime, time

import numpy as np

from benchmarks.demo_sample import Tested, drawn, recorded, some_customers
from crm.config import Config
from crm.demo.collection_oracle import settled_probability
from crm.demo.company import DemoCompany
from features.build import build_features
from features.invoice_rows import build_invoice_rows
from features.invoice_set import build_invoice_set
from models.tasks.collection_risk import TASK
from models.train_hazard import fit_hazard_task

ONE_IN = 3
TEST_SHARE = 0.25


def judge_collection(company: DemoCompany, seed: int) -> Tested:
    """Invoices at issue, asked whether they are still open after the due day."""
    config = Config()
    zone = config.company.zone
    with recorded(some_customers(company, one_in=ONE_IN)) as generation:
        every = build_invoice_rows(generation, zone=zone, weekly=False)
        first = np.sort(every.issued_on)[int(len(every.issued_on) * (1 - TEST_SHARE))]
        cut = datetime.combine(first.item(), time(), tzinfo=zone)
        learned = build_invoice_set(generation, TASK.question, config=config, until=cut)
        rows = every.take((every.issued_on >= first) & (every.followed_days > every.late_days))
        rows = rows.take(np.isfinite(rows.late()))
        rows = rows.take(drawn(rows.account_id, seed))
        features = build_features(generation, TASK.feature_groups, rows.spine, zone=zone)
    trained = fit_hazard_task(TASK, learned, seed=seed)
    if trained.predictor is None:
        raise RuntimeError(f"the collection risk could not be trained: {trained.report.reason}")
    at_issue = TASK.asked_of(learned.take(learned.rows.column("days_since_issue").to_numpy() == 1))
    return Tested(
        label=rows.late(),
        predicted=trained.predictor.predict_rows(trained.predictor.encoder.encode_table(features), rows.as_of_on),
        best=1 - settled_probability(company, rows.spine, rows.due_on.astype(np.int64)),
        group=rows.account_id,
        learned=at_issue.take(np.isfinite(at_issue.label)),
        learner=trained.report.learner,
    )
