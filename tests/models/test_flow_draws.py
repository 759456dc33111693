"""The joint sample: adds up in every draw, follows the money chain, and has an answer for records of any kind."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.money import Measure
from crm.store import Generation, Store
from features.flow_rows import FlowState
from features.flow_state import read_flow_state
from features.nodes import Level
from models.flow_draws import FlowDraws, draw_flows
from models.flow_laws import learn_flows

ZONE = ZoneInfo("Asia/Shanghai")
N_MONTHS = 18


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    store = Store(tmp_path_factory.mktemp("record"))
    write_company(make_company("tiny", 5), store)
    return store.current()


@pytest.fixture(scope="module")
def state(generation: Generation) -> FlowState:
    return read_flow_state(generation, generation.recorded_to, zone=ZONE, currency="CNY")


def draw(state: FlowState, *, seed: int = 1, n_draws: int = 60) -> FlowDraws:
    return draw_flows(state, learn_flows(state, country="CN"), n_months=N_MONTHS, n_draws=n_draws, seed=seed)


@pytest.fixture(scope="module")
def flows(state: FlowState) -> FlowDraws:
    return draw(state)


def cut(state: FlowState, at: datetime, generation: Generation) -> FlowState:
    return read_flow_state(generation, at, zone=ZONE, currency="CNY")


LOST = {
    "deals": ("agreements", ("opportunity_id",)),
    "agreements of orders": ("orders", ("agreement_id", "opportunity_id")),
    "agreements of invoices": ("invoices", ("agreement_id", "installment_id")),
}


@pytest.mark.parametrize("what", LOST)
def test_a_record_that_lost_its_links_expects_no_sale_twice(what: str, flows: FlowDraws, tmp_path: Path) -> None:
    company = make_company("tiny", 5)
    table, columns = LOST[what]
    rows = company.tables[table]
    for column in columns:
        place = rows.column_names.index(column)
        rows = rows.set_column(place, rows.schema.field(place), pa.nulls(rows.num_rows, rows.schema.field(place).type))
    store = Store(tmp_path)
    write_company(replace(company, tables={**company.tables, table: rows}), store)
    generation = store.current()
    lost = draw(read_flow_state(generation, generation.recorded_to, zone=ZONE, currency="CNY"))
    for measure in (Measure.BOOKINGS, Measure.REVENUE, Measure.GROSS_MARGIN):
        before, after = (one.draws[measure][0].sum(axis=0).mean() for one in (flows, lost))
        assert after <= 1.04 * before, measure


def test_every_draw_of_every_measure_adds_up_to_the_cent(flows: FlowDraws) -> None:
    nodes = flows.places.nodes
    company = [node.level for node in nodes].index(Level.COMPANY)
    for draws in flows.draws.values():
        assert np.array_equal(draws, np.round(draws))
        for level in (Level.REGION, Level.INDUSTRY, Level.BUYER_TYPE):
            rows = [place for place, node in enumerate(nodes) if node.level is level]
            assert np.array_equal(draws[rows].sum(axis=0), draws[company])
        for place, node in enumerate(nodes):
            if node.level is Level.REGION:
                lines = [
                    row for row, one in enumerate(nodes) if one.level is Level.REGION_LINE and one.region == node.region
                ]
                # What names no line counts for its region alone.
                assert (draws[lines].sum(axis=0) <= draws[place]).all()
    booked = flows.draws[Measure.BOOKINGS]
    lines = [place for place, node in enumerate(nodes) if node.level is Level.LINE]
    assert np.array_equal(booked[lines].sum(axis=0), booked[company])


def test_components_of_a_month_add_up_to_its_mean(flows: FlowDraws) -> None:
    for measure, draws in flows.draws.items():
        assert np.allclose(flows.components[measure].sum(axis=2), draws.mean(axis=2), rtol=1e-12, atol=1e-6)


def test_no_draw_receives_more_than_was_signed_with_tax(state: FlowState) -> None:
    # Without invoices of no agreement there is nothing to receive but what is owed and what is signed.
    alone = empty(state, "invoices")
    flows = draw(alone)
    owed = state.claims.gross.sum() + state.bills.gross.sum()
    tax = (state.agreements.gross / state.agreements.net).max()
    received, signed = (flows.draws[one][0].cumsum(axis=0) for one in (Measure.RECEIPTS, Measure.BOOKINGS))
    assert received[-1].min() > 0.5 * owed
    assert (received <= owed + tax * signed + len(state.agreements.net)).all()


def test_the_same_seed_draws_the_same_and_another_does_not(state: FlowState, flows: FlowDraws) -> None:
    again, other = draw(state), draw(state, seed=2)
    assert np.array_equal(again.draws[Measure.BOOKINGS], flows.draws[Measure.BOOKINGS])
    assert not np.array_equal(other.draws[Measure.BOOKINGS], flows.draws[Measure.BOOKINGS])


def test_what_is_recorded_later_changes_nothing_that_was_known_before(generation: Generation) -> None:
    at = datetime(2025, 6, 30, 16, tzinfo=UTC)
    before = cut(generation=generation, state=None, at=at)  # type: ignore[arg-type]
    assert before.on < np.datetime64("2025-07-02", "D").astype(np.int64)
    for rows in (before.deals, before.agreements, before.orders, before.invoices):
        for name in ("created", "signed", "day"):
            if name in {field.name for field in fields(rows)}:
                assert (getattr(rows, name) < before.on).all()
    closed = before.deals.closed[before.deals.outcome > 0]
    assert (closed < before.on).all()


def test_a_record_without_open_deals_or_agreements_still_draws(state: FlowState) -> None:
    for part in ("deals", "agreements", "claims", "orders", "invoices", "bills"):
        emptied = empty(state, part)
        found = draw(emptied, n_draws=10)
        for draws in found.draws.values():
            assert np.isfinite(draws).all()


def empty(state: FlowState, part: str) -> FlowState:
    """The state without the rows of one part, and without what points at them."""
    rows = getattr(state, part)
    none = {
        field.name: value[:0] for field in fields(rows) if isinstance(value := getattr(rows, field.name), np.ndarray)
    }
    if part == "deals":
        moves = {
            name: replace(one, deal=one.deal[:0], day=one.day[:0], value=one.value[:0], first=one.first[:0])
            for name, one in rows.moves.items()
        }
        agreed = replace(state.agreements, deal=np.full(len(state.agreements.deal), -1))
        return replace(state, deals=replace(rows, **none, moves=moves), agreements=agreed)
    if part == "agreements":
        parts = replace(
            state.parts, **{name: getattr(state.parts, name)[:0] for name in ("agreement", "days", "share", "kind")}
        )
        delivered = replace(
            state.deliveries, days=state.deliveries.days[:0], margin_share=state.deliveries.margin_share[:0]
        )
        claims = replace(state.claims, agreement=np.full(len(state.claims.agreement), -1))
        return replace(state, agreements=replace(rows, **none), parts=parts, deliveries=delivered, claims=claims)
    return replace(state, **{part: replace(rows, **none)})
