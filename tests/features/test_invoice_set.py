"""Timed rows of claims: nodes that nobody bills are asked about like invoices, and many rows are thinned, not cut."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from crm.config import CompanySection, Config
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.invoice_rows import settled_moments
from features.invoice_set import build_invoice_set
from features.timed_set import TimedSet
from models.readiness import read_readiness
from models.tasks.collection_risk import TASK
from serving.score_tasks import lacking_tables

CONFIG = Config(company=CompanySection(time_zone="UTC"))
N_NODES = 30


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """A company without invoices: a node every 10 days, planned 60 days ahead, paid 5 days after its plan."""
    rows: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("agreements", "installments", "receipts", "receipt_allocations")
    }
    for n in range(N_NODES):
        signed = date(2025, 1, 1) + timedelta(days=10 * n)
        at = datetime.combine(signed, datetime.min.time()) + timedelta(hours=9)
        own: dict[str, object] = {"agreement_id": f"C{n}", "recorded_at": at}
        planned, paid = signed + timedelta(days=60), signed + timedelta(days=65)
        rows["agreements"].append({**own, "account_id": f"A{n % 3}", "signed_on": signed})
        rows["installments"].append({**own, "installment_id": f"N{n}", "planned_on": planned, "gross_amount": 500_00})
        if paid < date(2025, 10, 1):
            seen = {"receipt_id": f"E{n}", "recorded_at": datetime.combine(paid, datetime.min.time())}
            rows["receipts"].append({**seen, "account_id": f"A{n % 3}", "received_on": paid, "gross_amount": 500_00})
            part = {"allocation_id": f"G{n}", "installment_id": f"N{n}", "amount": 500_00}
            rows["receipt_allocations"].append({**seen, **part})
    store = Store(tmp_path_factory.mktemp("record"))
    with store.writing() as writer:
        for name, each in rows.items():
            columns = (*table(name).columns, *SYSTEM_COLUMNS)
            schema = pa.schema([(c.name, arrow_type(c.dtype)) for c in columns])
            writer.replace(name, pa.Table.from_pylist(each, schema))
    return store.current()


def rows_of(generation: Generation, **more: object) -> TimedSet:
    return build_invoice_set(generation, TASK.question, config=CONFIG, **more)  # type: ignore[arg-type]


def test_company_without_invoices_has_its_nodes_asked_about(generation: Generation) -> None:
    rows = rows_of(generation)
    # The last one was signed on the day on which the record ends.
    assert set(rows.entity_id) == {f"node:N{n}" for n in range(N_NODES - 1)}
    assert set(rows.group) == {"A0", "A1", "A2"}
    first = np.flatnonzero(rows.entity_id == "node:N0")
    assert rows.outcomes.cause[first].tolist() == [1] * len(first)
    # Signed on a Wednesday, asked from the next day on: 65 days after signing lie 65 days ahead, that day included.
    assert rows.outcomes.duration_days[first[0]] == 65.0
    assert rows.rows.column("days_past_due").to_numpy()[first[0]] == -59.0
    windows = TASK.windows(rows)
    assert windows[first[0]] == 60.0
    assert np.nanmean(TASK.asked_of(rows).label) > 0.8


def test_nodes_make_the_task_ready_where_there_are_no_invoices(generation: Generation) -> None:
    told = next(task for task in read_readiness(generation, CONFIG).tasks if task.task == "collection_risk")
    assert told.status != "not_possible"
    assert (told.n_known, told.n_events) == (26, 21)
    assert not {"gross_amount", "days_past_due"} & set(told.switched_off)
    assert lacking_tables(generation, TASK, CONFIG) == ()


def test_settled_nodes_are_known_to_the_search_for_leaks(generation: Generation) -> None:
    found = settled_moments(generation, np.array(["node:N0", f"node:N{N_NODES - 1}"]), zone=CONFIG.company.zone)
    assert found[0] == np.datetime64("2025-03-07T12:00")
    assert np.isnat(found[1])


def test_many_rows_are_thinned_and_every_claim_keeps_its_first(generation: Generation) -> None:
    whole, few = rows_of(generation), rows_of(generation, most_rows=80)
    assert 80 <= len(few.entity_id) < len(whole.entity_id)
    assert set(few.entity_id) == set(whole.entity_id)
    first = {name: whole.as_of[whole.entity_id == name].min() for name in set(whole.entity_id)}
    assert {name: few.as_of[few.entity_id == name].min() for name in set(few.entity_id)} == first
    again = rows_of(generation, most_rows=80)
    np.testing.assert_array_equal(few.as_of, again.as_of)


def test_rows_end_where_the_question_begins_to_be_asked(generation: Generation) -> None:
    until = datetime(2025, 6, 1, tzinfo=UTC)
    rows = rows_of(generation, until=until)
    assert rows.as_of.max() <= np.datetime64(until.replace(tzinfo=None))
    assert np.isinf(rows.outcomes.told_days[rows.outcomes.cause == 0]).all()  # type: ignore[index]


def test_search_for_leaks_looks_at_one_row_of_each_claim_without_parts_of_its_payment(generation: Generation) -> None:
    asked = TASK.asked_of(rows_of(generation))
    searched = TASK.searched(asked)
    assert sorted(searched.entity_id) == sorted(set(asked.entity_id))
    assert not TASK.parts_of_event & {field.name for field in searched.fields}
    ages = searched.rows.column("days_since_issue").to_numpy()
    assert ages.min() < 20 < 40 < ages.max()
