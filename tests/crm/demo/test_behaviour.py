"""The people of the demo company behave as its laws say, and not when `effects` is 0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from crm.demo.company import DemoCompany, make_company

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def small() -> DemoCompany:
    return make_company("small", 21)


def _frame(company: DemoCompany, name: str) -> pd.DataFrame:
    return company.tables[name].to_pandas()


def _rank_correlation(a: pd.Series, b: Floats) -> float:
    return float(np.corrcoef(pd.Series(np.asarray(a)).rank(), pd.Series(b).rank())[0, 1])


def _slips_by_rep(company: DemoCompany) -> pd.Series:
    """Mean number of days by which a deal's promised date moved, by rep, in the order of the truth."""
    changes = _frame(company, "changes")
    slips = changes[changes["field"] == "expected_close_on"].groupby("entity_id").size()
    deals = _frame(company, "opportunities")
    deals["slips"] = deals["opportunity_id"].map(slips).fillna(0)
    by_rep = deals.groupby("rep_id")["slips"].mean()
    return by_rep.reindex([f"R{n + 1:04d}" for n in range(len(company.truth.optimism))])


def test_optimists_let_promised_dates_slip_more_often(small: DemoCompany) -> None:
    slips = _slips_by_rep(small)
    there = slips.notna().to_numpy()
    assert _rank_correlation(slips[there], small.truth.optimism[there]) > 0.5


def test_sandbaggers_hold_winners_back_from_commit(small: DemoCompany) -> None:
    changes = _frame(small, "changes")
    committed = set(changes.loc[changes["new_value"] == "commit", "entity_id"])
    deals = _frame(small, "opportunities")
    won = deals[deals["outcome"] == "won"].copy()
    rep = won["rep_id"].str[1:].astype(int).to_numpy() - 1
    optimism = small.truth.optimism[rep]
    share = won["opportunity_id"].isin(committed).to_numpy()
    assert share[optimism > 0.3].mean() > share[optimism < -0.3].mean() + 0.1


def test_skilled_reps_win_more() -> None:
    company = make_company("small", 22)
    deals = _frame(company, "opportunities")
    closed = deals[deals["outcome"] != "open"]
    skill = company.truth.deal_skill[closed["rep_id"].str[1:].astype(int).to_numpy() - 1]
    won = (closed["outcome"] == "won").to_numpy()
    assert skill[won].mean() > skill[~won].mean() + 0.05


def _paid_late_by(company: DemoCompany) -> pd.DataFrame:
    """Invoices with the days between due day and last payment, and the habit of their payer."""
    invoices, allocations = _frame(company, "invoices"), _frame(company, "receipt_allocations")
    receipts = _frame(company, "receipts").set_index("receipt_id")["received_on"]
    paid = allocations.assign(day=allocations["receipt_id"].map(receipts)).groupby("invoice_id")["day"].max()
    last = pd.to_datetime(invoices["invoice_id"].map(paid))
    habit = company.truth.payer[invoices["account_id"].str[1:].astype(int).to_numpy() - 1]
    return invoices.assign(days=(last - pd.to_datetime(invoices["due_on"])).dt.days, habit=habit)


def test_payers_keep_their_habits(small: DemoCompany) -> None:
    invoices = _paid_late_by(small)
    assert list(invoices.groupby("habit")["days"].mean().sort_values().index) == [0, 1, 2, 3]
    assert 0.3 < (invoices["days"] >= 1).sum() / invoices["days"].notna().sum() < 0.7


def test_a_call_drawn_by_lot_brings_money_sooner(small: DemoCompany) -> None:
    treatments = _frame(small, "treatments")
    assert 0.4 < (treatments["arm"] == "call").mean() < 0.6
    assert (treatments["propensity"] == 0.5).all()
    drawn = treatments.merge(_paid_late_by(small), left_on="entity_id", right_on="invoice_id")
    moved = drawn[drawn["habit"] == 2].groupby("arm")["days"].mean()
    assert moved["call"] < moved["wait"] - 3
    activities = _frame(small, "activities")
    called = set(activities.loc[activities["kind"] == "collection", "invoice_id"])
    assert called <= set(treatments.loc[treatments["arm"] == "call", "entity_id"])


def test_use_declines_before_a_customer_leaves(small: DemoCompany) -> None:
    agreements = _frame(small, "agreements")
    ends = pd.to_datetime(agreements["ends_on"])
    recurring = agreements["kind"].isin(["subscription", "maintenance"]) & (ends < "2026-03-01")
    agreements = agreements.assign(ends=ends)[recurring]
    one = agreements.groupby("account_id").filter(lambda rows: len(rows) == 1)
    use = _frame(small, "usage").merge(one[["account_id", "ends", "renewed_to"]], on="account_id")
    before = (use["ends"] - pd.to_datetime(use["used_on"])).dt.days
    use["share"] = use["active_users"] / use["licensed_seats"]
    late = use[(before >= 0) & (before < 30)].groupby("account_id")["share"].mean()
    early = use[(before >= 210) & (before < 330)].groupby("account_id")["share"].mean()
    ratio = (late / early).dropna()
    left = one.set_index("account_id")["renewed_to"].isna().reindex(ratio.index)
    assert ratio[left].median() < 0.75


def test_renewals_depend_on_health_and_not_without_effects() -> None:
    for effects, least, most in ((1.0, 0.3, 1.2), (0.0, -0.25, 0.25)):
        company = make_company("small", 23, effects=effects)
        agreements = _frame(company, "agreements")
        over = agreements["kind"].isin(["subscription", "maintenance"])
        over &= pd.to_datetime(agreements["ends_on"]) < "2026-03-01"
        agreements = agreements[over]
        health = company.truth.health[agreements["account_id"].str[1:].astype(int).to_numpy() - 1]
        stayed = agreements["renewed_to"].notna().to_numpy()
        assert 0.6 < stayed.mean() < 0.95
        assert least < health[stayed].mean() - health[~stayed].mean() < most


def test_year_ends_in_a_rush_and_public_buyers_pay_in_their_months(small: DemoCompany) -> None:
    signed = pd.to_datetime(_frame(small, "agreements")["signed_on"])
    by_month = signed[signed >= "2022-07-01"].dt.month.value_counts()
    assert by_month[12] > 1.1 * by_month[[7, 8, 10]].mean()
    public = set(_frame(small, "accounts").query("buyer_type == 'government'")["account_id"])
    receipts = _frame(small, "receipts")
    month = pd.to_datetime(receipts.loc[receipts["account_id"].isin(public), "received_on"]).dt.month
    assert month.isin([6, 11, 12]).mean() > 0.5
