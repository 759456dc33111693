"""The win oracle is calibrated, uses nothing hidden and nothing recorded later."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.demo.company import DemoCompany, make_company
from crm.demo.seen import micros
from crm.demo.win_oracle import win_probability

Floats = npt.NDArray[np.float64]
HORIZON = timedelta(days=91)
HORIZON_US = 91 * 86_400_000_000


def one_moment_a_deal(company: DemoCompany) -> pa.Table:
    """Each opportunity at one moment of its first four months, so that rows are independent."""
    deals = company.tables["opportunities"]
    random = np.random.default_rng(0)
    at = micros(deals, "created_at") + random.integers(0, 120 * 86_400_000_000, deals.num_rows)
    kept = (at < micros(deals, "closed_at")) & (at + HORIZON_US <= company.end_us)
    names = deals["opportunity_id"].filter(pa.array(kept))
    return pa.table({"entity_id": names, "as_of": pa.array(at[kept]).cast(pa.timestamp("us"))})


def won_in_time(company: DemoCompany, spine: pa.Table) -> Floats:
    deals = company.tables["opportunities"]
    place = pc.index_in(spine["entity_id"].combine_chunks(), deals["opportunity_id"].combine_chunks()).to_numpy()
    at = spine["as_of"].cast(pa.int64()).to_numpy()
    won = np.array(deals["outcome"].to_pylist())[place] == "won"
    return (won & (micros(deals, "closed_at")[place] <= at + HORIZON_US)).astype(np.float64)


@pytest.fixture(scope="module")
def companies() -> list[DemoCompany]:
    return [make_company("small", seed) for seed in (21, 22, 23, 24)]


def test_probability_is_calibrated_in_deciles_over_several_companies(companies: list[DemoCompany]) -> None:
    spines = [one_moment_a_deal(company) for company in companies]
    p = np.concatenate([win_probability(c, s, horizon=HORIZON) for c, s in zip(companies, spines, strict=True)])
    y = np.concatenate([won_in_time(c, s) for c, s in zip(companies, spines, strict=True)])
    assert np.isfinite(p).all()
    assert len(y) > 1_800
    for part in np.array_split(np.argsort(p), 10):
        spread = np.sqrt((p[part] * (1 - p[part])).sum() + 0.25) / len(part)
        assert abs(y[part].mean() - p[part].mean()) < 3.0 * spread
    base = np.full(len(y), y.mean())
    assert np.mean((p - y) ** 2) < 0.87 * np.mean((base - y) ** 2)


def test_oracle_reads_no_latent_value(companies: list[DemoCompany]) -> None:
    company, nothing = companies[0], np.zeros(0, dtype=np.int64)
    spine = one_moment_a_deal(company)
    blind = replace(company, truth=replace(company.truth, lead_state=nothing, deal_score=np.zeros(0)))
    assert np.array_equal(win_probability(company, spine), win_probability(blind, spine))


def test_oracle_does_not_see_what_is_recorded_later(companies: list[DemoCompany]) -> None:
    company = companies[0]
    spine = one_moment_a_deal(company)
    early = spine.filter(pc.less(spine["as_of"], pa.scalar(np.datetime64("2024-06-30", "us"))))
    until = pa.scalar(max(early["as_of"].to_pylist()), pa.timestamp("us"))
    known = {
        name: rows.filter(pc.less_equal(rows["recorded_at"], until))
        for name, rows in company.tables.items()
        if name in ("activities", "changes")
    }
    # The present owner is rolled back through later changes: those stay.
    owners = company.tables["changes"].filter(pc.equal(company.tables["changes"]["field"], "rep_id"))
    known["changes"] = pa.concat_tables([known["changes"], owners.filter(pc.greater(owners["recorded_at"], until))])
    earlier = replace(company, tables={**company.tables, **known})
    assert np.array_equal(win_probability(company, early), win_probability(earlier, early))


def test_closed_and_unknown_opportunities_have_no_probability(companies: list[DemoCompany]) -> None:
    deals = companies[0].tables["opportunities"]
    ended = deals.filter(pc.is_valid(deals["closed_at"])).slice(0, 20)
    assert np.isnan(
        win_probability(companies[0], pa.table({"entity_id": ended["opportunity_id"], "as_of": ended["closed_at"]}))
    ).all()
    stranger = pa.table({"entity_id": ["nobody"], "as_of": ended["closed_at"].slice(0, 1)})
    assert np.isnan(win_probability(companies[0], stranger)).all()
