"""The oracles of renewal and of lapsing are calibrated, and use nothing hidden and nothing recorded later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.demo.churn_oracle import lapse_probability
from crm.demo.company import DemoCompany, make_company
from crm.demo.customer_seen import LATER, CustomerBook, read_customers
from crm.demo.renewal_oracle import lost_probability
from crm.demo.working_time import Ints, at_hour, local_day
from crm.demo.write import write_company
from crm.store import Store
from features.labels import label_rows
from features.spine import build_spine
from models.tasks.churn_risk import TASK

Floats = npt.NDArray[np.float64]
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def companies() -> list[DemoCompany]:
    return [make_company("small", seed, months=24) for seed in (41, 42)]


def last_day(company: DemoCompany) -> int:
    return int(local_day(np.array([company.end_us]))[0])


def book_of(company: DemoCompany) -> CustomerBook:
    return read_customers(company, company.truth.clock.first_day, last_day(company))


def spine_of(names: pa.ChunkedArray | pa.Array, rows: Ints, days: Ints) -> pa.Table:
    moments = pa.array(at_hour(days, 0.0)).cast(pa.timestamp("us"))
    return pa.table({"entity_id": names.take(pa.array(rows)), "as_of": moments})


def up_for_renewal(company: DemoCompany) -> tuple[pa.Table, Floats]:
    """One row an agreement, 30 to 120 days before its end, and whether it was lost."""
    book = book_of(company)
    following = book.renewed_to
    days = book.ends - np.random.default_rng(0).choice([30, 60, 90, 120], len(book.ends))
    open_to = np.minimum(book.cancelled, np.append(book.signed, LATER)[following])
    rows = np.flatnonzero(
        book.recurs
        & (days > np.maximum(book.starts, book.signed))
        & (days > company.truth.clock.first_day + 100)
        & (days < open_to)
        & (book.ends + 31 <= last_day(company))
    )
    lost = (book.cancelled < LATER) | (following < 0) | (book.net[following] < 0.9 * book.net)
    return spine_of(book.name, rows, days[rows]), lost[rows].astype(np.float64)


def customers(company: DemoCompany, folder: Path) -> tuple[pa.Table, Floats]:
    """Customers that may leave at every second month's beginning of the last year, and whether they left."""
    store = Store(folder)
    write_company(company, store)
    generation, question = store.current(), TASK.question
    spine = build_spine(generation, question, zone=ZONE, seed=1)
    label = label_rows(generation, question, spine)
    months = np.unique(spine["as_of"].to_numpy()[np.isfinite(label)])[-12::2]
    some = np.isin(spine["as_of"].to_numpy(), months)
    return spine.filter(pa.array(some)), label[some]


def assert_calibrated(p: Floats, y: Floats) -> None:
    assert np.isfinite(p).all()
    for part in np.array_split(np.argsort(p), 10):
        spread = np.sqrt((p[part] * (1 - p[part])).sum() + 0.25) / len(part)
        assert abs(y[part].mean() - p[part].mean()) < 3.0 * spread


def test_renewal_is_calibrated_in_deciles_over_several_companies(companies: list[DemoCompany]) -> None:
    rows = [up_for_renewal(company) for company in companies]
    p = np.concatenate([lost_probability(company, spine) for company, (spine, _) in zip(companies, rows, strict=True)])
    y = np.concatenate([label for _, label in rows])
    assert len(y) > 400
    assert_calibrated(p, y)
    assert np.mean((p - y) ** 2) < 0.7 * y.mean() * (1 - y.mean())


def test_lapsing_is_calibrated_in_deciles_over_several_companies(companies: list[DemoCompany], tmp_path: Path) -> None:
    rows = [customers(company, tmp_path / str(place)) for place, company in enumerate(companies)]
    p = np.concatenate([lapse_probability(company, spine) for company, (spine, _) in zip(companies, rows, strict=True)])
    y = np.concatenate([label for _, label in rows])
    assert len(y) > 400
    assert_calibrated(p, y)
    assert np.mean((p - y) ** 2) < 0.5 * y.mean() * (1 - y.mean())


def test_oracles_read_no_latent_value(companies: list[DemoCompany], tmp_path: Path) -> None:
    company, nothing = companies[0], np.zeros(0, dtype=np.int64)
    blind = replace(
        company,
        truth=replace(company.truth, health=np.zeros(0), deal_score=np.zeros(0), lead_state=nothing, payer=nothing),
    )
    renewals, lapses = up_for_renewal(company)[0].slice(0, 60), customers(company, tmp_path)[0].slice(0, 60)
    assert np.array_equal(lost_probability(company, renewals), lost_probability(blind, renewals))
    assert np.array_equal(lapse_probability(company, lapses), lapse_probability(blind, lapses))


def test_renewal_does_not_see_what_is_recorded_later(companies: list[DemoCompany]) -> None:
    company = companies[0]
    spine = up_for_renewal(company)[0]
    moments = np.sort(spine["as_of"].to_numpy())
    early = spine.filter(pc.less_equal(spine["as_of"], pa.scalar(moments[len(moments) // 3], pa.timestamp("us"))))
    last = pa.scalar(max(early["as_of"].to_pylist()), pa.timestamp("us"))
    known = {
        name: company.tables[name].filter(pc.less_equal(company.tables[name]["recorded_at"], last))
        for name in ("usage", "tickets", "surveys")
    }
    cut = replace(company, tables={**company.tables, **known})
    assert np.array_equal(lost_probability(company, early), lost_probability(cut, early))


def test_settled_and_unknown_agreements_have_no_probability(companies: list[DemoCompany]) -> None:
    book = book_of(companies[0])
    over = np.flatnonzero(book.recurs & (book.ends < last_day(companies[0]) - 10))[:20]
    assert np.isnan(lost_probability(companies[0], spine_of(book.name, over, book.ends[over] + 5))).all()
    stranger = spine_of(book.name, over[:1], book.ends[over[:1]]).set_column(0, "entity_id", pa.array(["nobody"]))
    assert np.isnan(lost_probability(companies[0], stranger)).all()
    assert np.isnan(lapse_probability(companies[0], stranger)).all()
