"""A share of a demo company's customers stays whole: nothing of another customer, nothing missing of these."""

import numpy as np
import pyarrow.compute as pc

from benchmarks.demo_sample import drawn, some_customers
from crm.demo.company import make_company


def test_chosen_customers_keep_everything_on_record() -> None:
    company = make_company("tiny", 1)
    some = some_customers(company, one_in=3)
    chosen = set(some.tables["accounts"]["account_id"].to_pylist())
    assert 0.2 < len(chosen) / company.tables["accounts"].num_rows < 0.5
    for table in ("agreements", "orders", "invoices", "receipts", "usage", "tickets"):
        named = company.tables[table]["account_id"].to_pylist()
        assert some.tables[table]["account_id"].to_pylist() == [name for name in named if name in chosen]
    receipts = some.tables["receipts"]["receipt_id"]
    assert pc.all(pc.is_in(some.tables["receipt_allocations"]["receipt_id"], receipts.combine_chunks())).as_py()
    invoices = company.tables["invoices"].filter(
        pc.is_in(company.tables["invoices"]["account_id"], pc.unique(some.tables["accounts"]["account_id"]))
    )
    paid = pc.is_in(company.tables["receipt_allocations"]["invoice_id"], invoices["invoice_id"].combine_chunks())
    assert some.tables["receipt_allocations"].num_rows == pc.sum(paid).as_py()
    renewed = company.tables["changes"].filter(pc.equal(company.tables["changes"]["field"], "renewed_to"))
    mine = pc.is_in(renewed["entity_id"], some.tables["agreements"]["agreement_id"].combine_chunks())
    kept = some.tables["changes"].filter(pc.equal(some.tables["changes"]["field"], "renewed_to"))
    assert kept.num_rows == pc.sum(mine).as_py()


def test_rows_of_a_group_are_drawn_together() -> None:
    group = np.repeat(np.arange(5_000).astype(np.str_), 3)
    kept = drawn(group, 1)
    assert 5_900 < kept.sum() <= 6_000
    assert (kept.reshape(-1, 3).sum(axis=1) % 3 == 0).all()
