"""The oracle is calibrated, uses nothing hidden, and vanishes with the effects."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.demo.company import DemoCompany, make_company
from crm.demo.deal_oracle import win_tables
from crm.demo.oracle import happened_within, lead_probability
from crm.demo.parameters import DealLaws

Floats = npt.NDArray[np.float64]
HORIZON = timedelta(days=90)


def _week_old(company: DemoCompany, days: int = 7) -> pa.Table:
    """One row a lead, so many days after its creation: rows of different leads are independent."""
    leads = company.tables["leads"]
    at = leads["created_at"].cast(pa.int64()).to_numpy() + days * 86_400_000_000
    return pa.table({"entity_id": leads["lead_id"], "as_of": pa.array(at).cast(pa.timestamp("us"))})


def _scored(company: DemoCompany, gap: timedelta = timedelta(0)) -> tuple[Floats, Floats]:
    spine = _week_old(company)
    probability = lead_probability(company, spine, gap=gap, horizon=HORIZON)
    label = happened_within(company, spine, gap=gap, horizon=HORIZON)
    known = np.isfinite(label)
    return probability[known], label[known]


def _auc(label: Floats, score: Floats) -> float:
    rank = np.empty(len(score))
    rank[np.argsort(score)] = np.arange(1, len(score) + 1)
    n_positive = label.sum()
    return float(
        (rank[label == 1].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * (len(label) - n_positive))
    )


@pytest.fixture(scope="module")
def small() -> DemoCompany:
    return make_company("small", 11)


@pytest.mark.parametrize("gap_days", [0, 7])
def test_probability_is_calibrated_in_deciles(small: DemoCompany, gap_days: int) -> None:
    probability, label = _scored(small, timedelta(days=gap_days))
    assert len(label) > 4_000
    for part in np.array_split(np.argsort(probability), 10):
        p, y = probability[part], label[part]
        assert abs(y.mean() - p.mean()) < 3.0 * np.sqrt((p * (1 - p)).sum()) / len(part)


def test_oracle_beats_the_base_rate_by_far(small: DemoCompany) -> None:
    probability, label = _scored(small)
    base = np.full(len(label), label.mean())
    assert np.mean((probability - label) ** 2) < 0.93 * np.mean((base - label) ** 2)
    assert 0.75 < _auc(label, probability) < 0.86


def test_effects_scale_what_can_be_known() -> None:
    auc = {effects: _auc(*_scored(make_company("small", 12, effects=effects))[::-1]) for effects in (0.0, 0.5, 1.5)}
    assert abs(auc[0.0] - 0.5) < 0.04
    assert 0.58 < auc[0.5] < 0.74
    assert auc[1.5] > 0.86


def test_conversion_and_win_rates_lie_in_their_bands(small: DemoCompany) -> None:
    leads, deals = small.tables["leads"], small.tables["opportunities"]
    outcome = np.array(deals["outcome"].to_pylist())
    assert 0.10 < 1 - leads["converted_at"].null_count / leads.num_rows < 0.25
    assert 0.20 < (outcome == "won").sum() / (outcome != "open").sum() < 0.35


def test_oracle_reads_no_latent_value(small: DemoCompany) -> None:
    spine = _week_old(small).slice(0, 500)
    blind = replace(
        small,
        truth=replace(small.truth, lead_state=np.zeros(0, dtype=np.int64), deal_score=np.zeros(0), health=np.zeros(0)),
    )
    assert np.array_equal(
        lead_probability(small, spine, horizon=HORIZON), lead_probability(blind, spine, horizon=HORIZON), equal_nan=True
    )


def test_oracle_does_not_see_what_is_recorded_later(small: DemoCompany) -> None:
    spine = _week_old(small).slice(0, 500)
    activities = small.tables["activities"]
    latest = max(spine["as_of"].to_pylist())
    known = pc.less_equal(activities["recorded_at"], pa.scalar(latest, pa.timestamp("us")))
    truncated = replace(small, tables={**small.tables, "activities": activities.filter(known)})
    assert np.array_equal(lead_probability(small, spine), lead_probability(truncated, spine), equal_nan=True)


def test_rows_of_leads_no_longer_open_have_no_probability(small: DemoCompany) -> None:
    leads = small.tables["leads"]
    ended = leads.filter(pc.is_valid(leads["converted_at"])).slice(0, 50)
    spine = pa.table({"entity_id": ended["lead_id"], "as_of": ended["converted_at"]})
    assert np.isnan(lead_probability(small, spine)).all()


def test_unknown_leads_and_moments_before_creation_have_no_probability(small: DemoCompany) -> None:
    spine = _week_old(small, days=-1).slice(0, 3)
    assert np.isnan(lead_probability(small, spine)).all()
    stranger = pa.table({"entity_id": ["nobody"], "as_of": spine["as_of"].slice(0, 1)})
    assert np.isnan(lead_probability(small, stranger)).all()


@pytest.mark.slow
def test_probability_to_be_won_is_calibrated_in_deciles() -> None:
    company = make_company("small", 13, months=48)
    spine = _week_old(company)
    gap = timedelta(days=1)
    probability = lead_probability(company, spine, event="won", gap=gap, horizon=HORIZON)
    label = happened_within(company, spine, event="won", gap=gap, horizon=HORIZON)
    known = np.isfinite(label)
    p, y = probability[known], label[known]
    for part in np.array_split(np.argsort(p), 10):
        assert abs(y[part].mean() - p[part].mean()) < 3.0 * np.sqrt((p[part] * (1 - p[part])).sum()) / len(part)
    assert 0.75 < _auc(y, p) < 0.9


def test_chance_to_win_grows_with_time_and_score() -> None:
    table = win_tables(DealLaws())[0]
    assert (np.diff(table, axis=1) >= 0).all()
    assert (np.diff(table[:, -1]) >= 0).all()
    assert table[0, -1] < 0.01 < 0.9 < table[-1, -1] <= 1.0
