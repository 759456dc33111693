"""The collection risk is trained on what was known by a moment, by the learner that did best on earlier invoices."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from models.task_files import task_names
from models.tasks.collection_risk import TASK
from models.train_payment import train_payment

ZONE = ZoneInfo("UTC")
QUICK = replace(
    TASK, candidates=("hazard_rate", "hazard_booster"), feature_groups=("invoice_terms", "invoice_customer")
)


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """300 invoices of 10 customers, half of which pay after about 12 days and half after about 40."""
    random = np.random.default_rng(1)
    rows: dict[str, list[dict[str, object]]] = {"invoices": [], "receipts": [], "receipt_allocations": []}
    for n in range(300):
        account, issued = n % 10, date(2025, 1, 1) + timedelta(days=n)
        paid = issued + timedelta(days=max(2, round((12 if account < 5 else 40) + random.normal(0, 3))))
        own = {"account_id": f"A{account}", "gross_amount": 1000}
        key, due = f"I{n}", issued + timedelta(days=30)
        known, seen = (datetime.combine(day, datetime.min.time()) for day in (issued, paid))
        rows["invoices"].append({"invoice_id": key, "issued_on": issued, "due_on": due, "recorded_at": known, **own})
        rows["receipts"].append({"receipt_id": key, "received_on": paid, "recorded_at": seen, **own})
        rows["receipt_allocations"].append(
            {"allocation_id": key, "receipt_id": key, "invoice_id": key, "amount": 1000, "recorded_at": seen}
        )
    store = Store(tmp_path_factory.mktemp("record"))
    with store.writing() as writer:
        for name, each in rows.items():
            columns = (*table(name).columns, *SYSTEM_COLUMNS)
            schema = pa.schema([(c.name, arrow_type(c.dtype)) for c in columns])
            writer.replace(name, pa.Table.from_pylist(each, schema))
    return store.current()


def test_learner_that_tells_customers_apart_is_chosen_on_earlier_invoices(generation: Generation) -> None:
    until = datetime(2025, 9, 1, tzinfo=UTC)
    trained = train_payment(QUICK, generation, zone=ZONE, until=until, seed=1)
    assert trained.learner == "hazard_booster"
    assert trained.losses["hazard_booster"] < trained.losses["hazard_rate"]
    assert trained.rows.as_of_on.max() <= np.datetime64("2025-09-01")
    assert trained.model is not None
    outlook = trained.model.outlook(trained.rows, trained.features)
    slow = np.char.strip(trained.rows.account_id, "A").astype(int) >= 5
    at_issue = trained.rows.age_days == 1
    assert outlook.p_on_time[at_issue & ~slow].mean() > outlook.p_on_time[at_issue & slow].mean() + 0.4


def test_too_few_paid_invoices_refuse_the_training_and_say_so(generation: Generation) -> None:
    trained = train_payment(QUICK, generation, zone=ZONE, until=datetime(2025, 1, 20, tzinfo=UTC), seed=1)
    assert trained.model is None
    assert "30 are needed" in trained.reason


def test_task_is_in_no_list_of_what_is_served() -> None:
    assert "collection_risk" not in task_names()
