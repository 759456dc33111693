"""The collection oracle is calibrated at issue and later, and uses nothing hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.demo.collection_oracle import settled_probability
from crm.demo.company import DemoCompany, make_company
from crm.demo.invoice_seen import read_invoices
from crm.demo.parameters import Parameters
from crm.demo.payment_days import NOT_YET, Billed, make_pay_law
from crm.demo.working_time import Ints, at_hour, local_day

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def companies() -> list[DemoCompany]:
    return [make_company("small", seed) for seed in (31, 32)]


def asked(company: DemoCompany, days_after: str) -> tuple[pa.Table, Ints, Floats]:
    """One row an invoice, the day it is asked about and what became of it: late at issue, or in 30 days later on."""
    book = read_invoices(company)
    random, end = np.random.default_rng(0), int(local_day(np.array([company.end_us]))[0])
    on = {"issue": book.issued + 1, "later": book.due + random.integers(-20, 40, len(book.due))}[days_after]
    until = book.due if days_after == "issue" else on + 29
    settled = np.where(book.in_parts, book.rest, book.first)
    kept = (settled >= on) & (on > book.issued) & (until <= end) & (book.taken_back > end)
    moments = pa.array(at_hour(on[kept], 0.0)).cast(pa.timestamp("us"))
    spine = pa.table({"entity_id": book.name.filter(pa.array(kept)), "as_of": moments})
    return spine, until[kept], (settled <= until)[kept].astype(np.float64)


@pytest.mark.parametrize("days_after", ["issue", "later"])
def test_probability_is_calibrated_in_deciles_over_several_companies(
    companies: list[DemoCompany], days_after: str
) -> None:
    rows = [asked(company, days_after) for company in companies]
    p = np.concatenate([settled_probability(c, spine, on) for c, (spine, on, _) in zip(companies, rows, strict=True)])
    y = np.concatenate([label for _, _, label in rows])
    assert np.isfinite(p).all()
    for part in np.array_split(np.argsort(p), 10):
        spread = np.sqrt((p[part] * (1 - p[part])).sum() + 0.25) / len(part)
        assert abs(y[part].mean() - p[part].mean()) < 3.0 * spread
    assert np.mean((p - y) ** 2) < 0.65 * y.mean() * (1 - y.mean())


def test_oracle_reads_no_latent_value(companies: list[DemoCompany]) -> None:
    company, nothing = companies[0], np.zeros(0, dtype=np.int64)
    spine, until, _ = asked(company, "later")
    blind = replace(company, truth=replace(company.truth, payer=nothing, health=np.zeros(0)))
    spine, until = spine.slice(0, 200), until[:200]
    assert np.array_equal(settled_probability(company, spine, until), settled_probability(blind, spine, until))


def test_oracle_does_not_see_what_happens_later(companies: list[DemoCompany]) -> None:
    company = companies[0]
    spine, until, _ = asked(company, "later")
    early = pc.less(spine["as_of"], pa.scalar(np.datetime64("2023-12-31", "us")))
    spine, until = spine.filter(early).slice(0, 200), until[early.to_numpy()][:200]
    last = pa.scalar(max(spine["as_of"].to_pylist()), pa.timestamp("us"))
    known = ("receipts", "receipt_allocations", "treatments", "promises", "invoices")
    earlier = {name: company.tables[name].filter(pc.less(company.tables[name]["recorded_at"], last)) for name in known}
    cut = replace(company, tables={**company.tables, **earlier})
    assert np.array_equal(settled_probability(company, spine, until), settled_probability(cut, spine, until))


def test_settled_and_unknown_invoices_have_no_probability(companies: list[DemoCompany]) -> None:
    book = read_invoices(companies[0])
    paid = np.flatnonzero(~book.in_parts & (book.first < 10**5))[:20]
    moments = pa.array(at_hour(book.first[paid] + 1, 0.0)).cast(pa.timestamp("us"))
    spine = pa.table({"entity_id": book.name.take(pa.array(paid)), "as_of": moments})
    assert np.isnan(settled_probability(companies[0], spine, book.due[paid])).all()
    stranger = pa.table({"entity_id": ["nobody"], "as_of": moments.slice(0, 1)})
    assert np.isnan(settled_probability(companies[0], stranger, book.due[paid][:1])).all()


def test_chance_to_have_paid_rises_to_one_in_every_state() -> None:
    due = 20_000
    law = make_pay_law(Parameters(effects=1.0), due - 60, due + 900)
    days = np.arange(due - 40, due + 800)
    same = np.full(len(days), due)
    for public in (False, True):
        billed = Billed(
            issued=same - 30,
            due=same,
            disputed=np.full(len(days), 0.03),
            lot=np.full(len(days), NOT_YET),
            public=np.full(len(days), public),
        )
        paid = law.paid_by(billed, days)
        assert (np.diff(paid, axis=0) > -1e-12).all()
        assert paid[0].max() == 0.0
        assert paid[-1].min() > 0.999
