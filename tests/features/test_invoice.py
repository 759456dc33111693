"""The features of an open invoice: both forms agree, the future moves nothing, history is what was settled."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.engine import DuckDBEngine
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.settlements import register_derived
from crm.tables import table
from features.build import build_features, reached_spine, tables_read
from features.groups.invoice import GROUPS
from features.history import read_histories
from features.leakage_store import compare, features_of
from features.online import compute_features
from features.spoiling import spoil_future, truncate

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
DAYS = 200
MIDDLE = START + timedelta(days=110, hours=3)
N_INVOICES = 200


def as_table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    return pa.Table.from_pylist(rows, pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


def make_tables(seed: int) -> dict[str, pa.Table]:
    """Invoices of 20 customers, paid in parts, late recorded, some reversed, replaced, disputed or promised."""
    random = np.random.default_rng(seed)

    def day(low: float = 0, high: float = DAYS) -> date:
        return (START + timedelta(days=float(random.uniform(low, high)))).date()

    def known(on: date) -> datetime:
        return datetime.combine(on, datetime.min.time()) + timedelta(hours=int(random.choice([0, 5, 30, 500])))

    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("invoices", "receipts", "receipt_allocations", "promises", "activities", "changes")
    }
    rows["accounts"] = [
        {"account_id": f"A{n:02d}", "created_at": START, "recorded_at": START, "buyer_type": kind, "region": "north"}
        for n, kind in enumerate(random.choice(["small", "government", "enterprise"], 20).tolist())
    ]
    rows["changes"] = [
        {
            "change_id": f"C{n}",
            "entity": "accounts",
            "entity_id": f"A{n:02d}",
            "occurred_at": START + timedelta(days=20 * n),
            "recorded_at": START + timedelta(days=20 * n),
            "field": "buyer_type",
            "old_value": "small",
            "new_value": "enterprise",
        }
        for n in range(8)
    ]
    for n in range(N_INVOICES):
        name, issued = f"I{n:04d}", day()
        amount = int(random.integers(1, 10)) * 1000
        row = {
            "invoice_id": name,
            "account_id": str(random.choice([f"A{at:02d}" for at in range(20)])) if random.random() < 0.95 else None,
            "issued_on": issued,
            "due_on": issued + timedelta(days=int(random.integers(0, 40))) if random.random() < 0.9 else None,
            "gross_amount": amount,
            "recorded_at": known(issued),
            "disputed_at": issued + timedelta(days=12) if random.random() < 0.1 else None,
            "reversed_by": f"R{name}" if random.random() < 0.1 else None,
        }
        rows["invoices"].append(row)
        if row["reversed_by"]:
            on = issued + timedelta(days=int(random.integers(0, 30)))
            red = {**row, "invoice_id": f"R{name}", "issued_on": on, "gross_amount": -amount, "reversed_by": None}
            rows["invoices"].append({**red, "recorded_at": known(on), "disputed_at": None})
            rows["invoices"].append(
                {**row, "invoice_id": f"S{name}", "issued_on": on, "replaces": name, "reversed_by": None}
                | {"recorded_at": known(on), "disputed_at": None}
            )
        left, part = amount, 0
        while left > 0 and random.random() < 0.85:
            on, share = issued + timedelta(days=int(random.integers(0, 60))), int(random.choice([1000, 4000, left]))
            paid, key, part = min(left, share), f"{name}-{part}", part + 1
            left -= paid
            rows["receipts"].append(
                {"receipt_id": key, "account_id": row["account_id"], "received_on": on, "gross_amount": paid}
                | {"recorded_at": known(on), "instrument": "transfer"}
            )
            rows["receipt_allocations"].append(
                {"allocation_id": key, "receipt_id": key, "invoice_id": name, "amount": paid, "recorded_at": known(on)}
            )
        if random.random() < 0.3:
            made = issued + timedelta(days=10)
            rows["promises"].append(
                {"promise_id": name, "invoice_id": name, "account_id": row["account_id"], "made_on": made}
                | {"promised_on": made + timedelta(days=9), "recorded_at": known(made)}
            )
        if random.random() < 0.4:
            at = datetime.combine(issued, datetime.min.time()) + timedelta(days=8, hours=4)
            rows["activities"].append(
                {"activity_id": name, "invoice_id": name, "occurred_at": at, "recorded_at": at, "kind": "collection"}
            )
        if random.random() < 0.1 and row["due_on"]:
            rows["changes"].append(moved(f"D{n}", "invoices", name, "due_on", row["due_on"], known(issued)))
    add_nodes(rows, random)
    return {name: as_table(name, each) for name, each in rows.items()}


def moved(key: str, entity: str, name: str, field: str, on: date, at: datetime) -> dict[str, Any]:
    """A plan that was moved to `on` after a while."""
    row = {"change_id": key, "entity": entity, "entity_id": name, "field": field, "new_value": str(on)}
    at = at + timedelta(days=9)
    return {**row, "old_value": str(on - timedelta(days=7)), "occurred_at": at, "recorded_at": at + timedelta(hours=7)}


def add_nodes(rows: dict[str, list[dict[str, Any]]], random: np.random.Generator) -> None:
    """Nodes of agreements that nobody bills, some moved, most paid in one part or two."""
    rows["agreements"], rows["installments"] = [], []
    for n in range(30):
        signed = (START + timedelta(days=int(random.integers(0, 150)))).date()
        at = datetime.combine(signed, datetime.min.time()) + timedelta(hours=9)
        own = {"agreement_id": f"C{n}", "recorded_at": at}
        rows["agreements"].append({**own, "account_id": f"A{n % 20:02d}", "signed_on": signed})
        for place in range(2):
            name, planned = f"N{n}-{place}", signed + timedelta(days=15 + 40 * place)
            rows["installments"].append({**own, "installment_id": name, "planned_on": planned, "gross_amount": 5000})
            if random.random() < 0.3:
                rows["changes"].append(moved(f"M{name}", "installments", name, "planned_on", planned, at))
            for part in range(int(random.integers(0, 3))):
                paid = planned + timedelta(days=int(random.integers(-10, 30)))
                key, known = f"{name}-{part}", datetime.combine(paid, datetime.min.time()) + timedelta(hours=8)
                receipt = {"receipt_id": key, "received_on": paid, "gross_amount": 2500, "recorded_at": known}
                rows["receipts"].append({**receipt, "account_id": f"A{n % 20:02d}", "instrument": "transfer"})
                rows["receipt_allocations"].append(
                    {"allocation_id": key, "receipt_id": key, "installment_id": name, "recorded_at": known}
                    | {"amount": 2500}
                )


def spine_of(tables: dict[str, pa.Table], *, at: datetime | None = None) -> pa.Table:
    names = [row["invoice_id"] for row in tables["invoices"].to_pylist() if row["gross_amount"] > 0]
    names += [f"node:{row['installment_id']}" for row in tables["installments"].to_pylist()]
    random = np.random.default_rng(3)
    moments = [at or START + timedelta(hours=int(random.integers(24 * DAYS))) for _ in names]
    return pa.table({"entity_id": names, "as_of": pa.array(moments, pa.timestamp("us"))})


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return make_tables(11)


def test_array_form_of_invoice_groups_equals_sql_form(tables: dict[str, pa.Table]) -> None:
    spine = spine_of(tables)
    with DuckDBEngine({}, threads=1) as engine:
        for name, rows in tables.items():
            engine.register(name, rows)
        batch = build_features(engine, GROUPS, spine, zone=ZONE, tables=tuple(tables))
        names = register_derived(engine, tables, tables_read(GROUPS), ZONE)
        reached = reached_spine(engine, GROUPS, spine, zone=ZONE, tables=names)
        histories = read_histories(engine, GROUPS, reached, tables=names)
    array = [
        compute_features(GROUPS, history.record, history.events, at, zone=ZONE)
        for history, at in zip(histories, spine.column("as_of").to_pylist(), strict=True)
    ]
    found = pa.table({name: pa.array([row[name] for row in array]) for name in batch.column_names})
    assert compare("array_form", spine.column("entity_id").to_pylist(), batch, found) == []
    is_node = np.array([name.startswith("node:") for name in spine.column("entity_id").to_pylist()])
    assert np.isfinite(batch.column("days_past_due").to_numpy()[is_node]).sum() > 20
    constant = {name for name in batch.column_names if len(set(batch.column(name).to_pylist()) - {None}) < 2}
    assert {name for name in constant if not name.startswith("account_")} == {"currency"}


@pytest.mark.parametrize("other", ["future rows", "truncation"])
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_future_rows_change_no_feature_of_an_invoice(other: str, seed: int) -> None:
    tables = make_tables(seed)
    spine = spine_of(tables, at=MIDDLE)
    truth = features_of(tables, GROUPS, spine, ZONE)
    changed = (
        spoil_future(tables, MIDDLE, ZONE, seed=5) if other == "future rows" else truncate(tables, MIDDLE, ZONE, {})
    )
    found = features_of(changed, GROUPS, spine, ZONE)
    assert compare(other, spine.column("entity_id").to_pylist(), truth, found) == []


def test_history_holds_the_invoices_settled_before_the_moment_and_no_others(tables: dict[str, pa.Table]) -> None:
    spine = spine_of(tables, at=MIDDLE)
    found = features_of(tables, GROUPS, spine, ZONE).to_pylist()
    with DuckDBEngine({}, threads=1) as engine:
        for name, rows in tables.items():
            engine.register(name, rows)
        register_derived(engine, tables, ("settlements",), ZONE)
        rows = engine.query("SELECT * FROM settlements").to_pylist()
    seen = [row for row in rows if row["known_at"] <= MIDDLE]
    settled = [row for row in seen if row["settled_on"] and row["closed_at"] <= MIDDLE]
    n_settled = Counter(row["account_id"] for row in settled)
    n_open = Counter(row["account_id"] for row in seen if not (row["closed_at"] and row["closed_at"] <= MIDDLE))
    accounts = {row["invoice_id"]: row["account_id"] for row in rows}
    visible = {row["invoice_id"] for row in seen}
    checked = 0
    for entity, row in zip(spine.column("entity_id").to_pylist(), found, strict=True):
        account = accounts[entity]
        if account is None or entity not in visible:
            continue
        days = [each["days_to_pay"] for each in settled if each["account_id"] == account]
        assert row["n_settled"] == n_settled[account]
        assert row["n_open_invoices"] == n_open[account]
        assert row["mean_days_to_pay"] == pytest.approx(np.mean(days) if days else np.nan, nan_ok=True)
        checked += 1
    assert checked > 50


def test_dispute_is_not_known_before_its_day(tables: dict[str, pa.Table]) -> None:
    disputed = [row for row in tables["invoices"].to_pylist() if row["disputed_at"]]
    names = [row["invoice_id"] for row in disputed]
    for shift, is_known in ((-1, False), (2, True)):
        moments = [
            datetime.combine(row["disputed_at"], datetime.min.time()) + timedelta(days=shift) for row in disputed
        ]
        late = [max(at, row["recorded_at"]) for at, row in zip(moments, disputed, strict=True)]
        spine = pa.table({"entity_id": names, "as_of": pa.array(moments if not is_known else late, pa.timestamp("us"))})
        found = features_of(tables, GROUPS, spine, ZONE).column("days_since_dispute").to_numpy()
        assert np.isfinite(found).all() if is_known else np.isnan(found).all()
