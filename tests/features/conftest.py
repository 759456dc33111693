"""Random histories: late rows, ties, empty cells, entities without rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.engine import DuckDBEngine
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table

Rows = list[dict[str, object]]
START = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
DAYS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Tables as lists of rows, and spines of one row per entity."""

    tables: dict[str, Rows]
    spine: pa.Table
    deal_spine: pa.Table

    def engine(self) -> DuckDBEngine:
        engine = DuckDBEngine({}, threads=1)
        for name, rows in self.tables.items():
            engine.register(name, as_table(name, rows))
        return engine


def as_table(name: str, rows: Rows) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    return pa.Table.from_pylist(rows, pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


class Dice:
    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def at(self) -> datetime:
        """A moment; often one of a few, so that ties are common, and often with microseconds."""
        if self.chance(0.3):
            return START + timedelta(days=int(self._random.integers(DAYS)))
        return START + timedelta(microseconds=int(self._random.integers(DAYS * 86_400_000_000)))

    def on(self) -> date:
        return self.at().date()

    def chance(self, share: float) -> bool:
        return bool(self._random.random() < share)

    def pick(self, *values: object) -> object:
        return values[int(self._random.integers(len(values)))]

    def count(self) -> int:
        return 0 if self.chance(0.2) else int(self._random.integers(1, 15))

    def number(self) -> float:
        return float(np.round(self._random.normal() * 100, 3))

    def money(self) -> int:
        return int(self._random.integers(-(10**9), 10**12))

    def late(self, happened: date) -> datetime:
        """When a row was recorded: at once, or up to 40 days late."""
        moment = happened if isinstance(happened, datetime) else datetime.combine(happened, datetime.min.time())
        return moment if self.chance(0.5) else moment + timedelta(hours=int(self._random.integers(960)))


def make_world(n_leads: int, seed: int) -> World:
    dice = Dice(seed)
    leads = [_lead(dice, f"L{number:04d}") for number in range(n_leads)]
    accounts = [_account(dice, f"A{number:02d}") for number in range(40)]
    activities: Rows = []
    changes: Rows = []
    for lead in leads:
        activities += [_activity(dice, f"{lead['lead_id']}-{n}", lead) for n in range(dice.count())]
        changes += _changes(dice, "leads", str(lead["lead_id"]), "rep_id", ("R1", "R2", "R3", None), lead)
    for account in accounts:
        changes += _changes(dice, "accounts", str(account["account_id"]), "employees", ("5", "70", "x", None), account)
    deals = [_deal(dice, f"D{number:03d}") for number in range(300)]
    for deal in deals:
        name = str(deal["opportunity_id"])
        changes += _changes(dice, "opportunities", name, "stage", ("new", "offer", None), deal)
        changes += _changes(dice, "opportunities", name, "net_amount", ("100", "x", "99999", None), deal)
        changes += _changes(dice, "opportunities", name, "expected_close_on", ("2025-03-01", "soon", None), deal)
        activities += [_activity(dice, f"{name}-{n}", deal) for n in range(dice.count())]
    spine = _spine(dice, leads, "lead_id")
    deal_spine = _spine(dice, deals, "opportunity_id")
    tables = {"leads": leads, "accounts": accounts, "activities": activities, "changes": changes}
    tables["opportunities"] = deals
    tables["receipts"] = [_receipt(dice, f"P{number}") for number in range(400)]
    tables["tickets"] = [_ticket(dice, f"T{number}") for number in range(400)]
    tables["orders"] = [_order(dice, number) for number in range(400)]
    return World(tables=tables, spine=spine, deal_spine=deal_spine)


def _spine(dice: Dice, rows: Rows, key: str) -> pa.Table:
    return pa.table(
        {"entity_id": [str(row[key]) for row in rows], "as_of": pa.array([dice.at() for _ in rows], pa.timestamp("us"))}
    )


def _lead(dice: Dice, lead_id: str) -> dict[str, object]:
    created = dice.at()
    return {
        "lead_id": lead_id,
        "created_at": created,
        "recorded_at": dice.late(created),
        "channel": dice.pick(*(f"渠道 {n}" for n in range(12)), None),
        "campaign": dice.pick(*(f"c{n}" for n in range(12)), None),
        "employees": dice.pick(None, 3, 500),
        "rep_id": dice.pick("R1", "R2", "R3", None),
        "account_id": dice.pick("A01", "A02", "A03", "A04", "A05", "A06", "A07", None),
        "referrer_account_id": dice.pick("A01", "A02", "A03", None),
        "converted_at": dice.pick(None, dice.at()),
        "disqualified_at": None,
    }


def _deal(dice: Dice, opportunity_id: str) -> dict[str, object]:
    created, closed = dice.at(), dice.pick(None, dice.at())
    return {
        "opportunity_id": opportunity_id,
        "created_at": created,
        "recorded_at": dice.late(created),
        "account_id": dice.pick("A01", "A02", "A03", "A04", None),
        "rep_id": dice.pick("R1", "R2", None),
        "stage": dice.pick("new", "offer", None),
        "closed_at": closed,
        "outcome": "open" if closed is None else dice.pick("won", "lost"),
        "net_amount": dice.pick(None, dice.money()),
        "discount": dice.pick(None, dice.number()),
        "expected_close_on": dice.pick(None, dice.on()),
        "tender_on": dice.pick(None, dice.on()),
    }


def _account(dice: Dice, account_id: str) -> dict[str, object]:
    created = dice.at()
    return {
        "account_id": account_id,
        "created_at": created,
        "recorded_at": dice.late(created),
        "employees": dice.pick(None, 7, 90),
        "credit_limit": dice.pick(None, dice.money()),
        "industry": dice.pick("steel", "retail", None),
    }


def _activity(dice: Dice, activity_id: str, lead: dict[str, object]) -> dict[str, object]:
    happened = dice.at()
    return {
        "activity_id": activity_id,
        "occurred_at": happened,
        "recorded_at": dice.late(happened),
        "kind": dice.pick("call", "email", "meeting", "web"),
        "lead_id": lead.get("lead_id"),
        "opportunity_id": lead.get("opportunity_id"),
        "rep_id": dice.pick("R1", "R2", None),
        "direction": dice.pick("inbound", "outbound", None),
        "minutes": dice.pick(None, dice.number()),
        "outcome": dice.pick(None, "interested", "无人接听"),
    }


def _changes(
    dice: Dice, entity: str, entity_id: str, field: str, values: tuple[object, ...], row: dict[str, object]
) -> Rows:
    if dice.chance(0.4):
        return []
    found: Rows = []
    for number in range(1 + dice.count() // 4):
        happened = dice.at()
        found.append(
            {
                "change_id": f"{entity_id}-{field}-{number}",
                "entity": entity,
                "entity_id": entity_id,
                "occurred_at": happened,
                "recorded_at": dice.late(happened),
                "field": field,
                "old_value": dice.pick(*values),
                "new_value": dice.pick(*values),
            }
        )
    return found


def _receipt(dice: Dice, receipt_id: str) -> dict[str, object]:
    day = dice.on()
    return {
        "receipt_id": receipt_id,
        "account_id": dice.pick("A01", "A02", "A03", "A04", "A05"),
        "received_on": day,
        "recorded_at": dice.late(day),
        "gross_amount": dice.money(),
        "instrument": dice.pick("cash", "transfer", None),
        "matures_on": dice.pick(None, dice.on()),
    }


def _ticket(dice: Dice, ticket_id: str) -> dict[str, object]:
    opened = dice.at()
    return {
        "ticket_id": ticket_id,
        "account_id": dice.pick("A01", "A02", "A03"),
        "opened_at": opened,
        "recorded_at": dice.late(opened),
        "closed_at": dice.pick(None, dice.at()),
        "severity": dice.pick("low", "high", None),
        "satisfaction": dice.pick(None, 1.0, 4.5),
    }


def _order(dice: Dice, number: int) -> dict[str, object]:
    ordered = dice.at()
    return {
        "order_id": f"O{number // 3}",
        "line": str(number % 3),
        "account_id": dice.pick("A01", "A02"),
        "ordered_at": ordered,
        "recorded_at": dice.late(ordered),
        "quantity": dice.number(),
        "product": dice.pick("p", "q"),
        "net_amount": dice.pick(None, 700, 90_000),
    }


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(1000, seed=7)


@pytest.fixture(scope="session")
def tiny_company(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """The record of a demo company, to be read alone."""
    store = Store(tmp_path_factory.mktemp("tiny"))
    write_company(make_company("tiny", 2), store)
    return store.current()
