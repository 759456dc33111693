"""The array form gives what the SQL gives, on 1,000 random histories."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm.tables import table
from features.asof import moment_of
from features.build import build_features
from features.catalogue import GROUPS
from features.matrix import Kind
from features.online import compute_features, source_of
from features.rollback import known_value
from features.spec import (
    AgeDays,
    Aggregate,
    Attribute,
    Calendar,
    Count,
    DaysInState,
    DaysSince,
    DaysUntil,
    Distinct,
    Drift,
    FeatureGroup,
    Last,
    Max,
    Mean,
    Min,
    Primitive,
    Ratio,
    Rhythm,
    Source,
    Sum,
    Trend,
    feature,
    is_in,
    known,
    negative,
    not_negative,
    share,
    unknown,
)

ZONE = ZoneInfo("Asia/Shanghai")
ACTIVITIES = Source(name="activities", table="activities", key="lead_id")
RECEIPTS = Source(name="receipts", table="receipts", key="account_id", reach="account_id")
TICKETS = Source(name="tickets", table="tickets", key="account_id", reach="account_id")
ORDERS = Source(name="orders", table="orders", key="account_id", reach="account_id", first=("net_amount",))
REP_LEADS = Source(name="rep_leads", table="leads", key="rep_id", reach="rep_id")
CHANGES = Source(name="changes", table="changes", key="entity_id", where=(is_in("entity", "leads"),))
CLOSED = {"at": "closed_at"}

EVERYTHING: dict[str, Primitive] = {
    "count": Count(source=ACTIVITIES),
    "count_7": Count(source=ACTIVITIES, days=7, where=(is_in("kind", "call", "web"),)),
    "count_untimed": Count(source=ACTIVITIES, where=(unknown("minutes"),)),
    "sum": Sum(source=ACTIVITIES, column="minutes", days=90),
    "mean": Mean(source=ACTIVITIES, column="minutes", where=(known("outcome"),)),
    "min": Min(source=ACTIVITIES, column="minutes"),
    "max": Max(source=ACTIVITIES, column="minutes", days=60),
    "last_minutes": Last(source=ACTIVITIES, column="minutes"),
    "last_kind": Last(source=ACTIVITIES, column="kind"),
    "last_outcome": Last(source=ACTIVITIES, column="outcome"),
    "days_since": DaysSince(source=ACTIVITIES),
    "days_since_first": DaysSince(source=ACTIVITIES, which="first", days=90),
    "trend": Trend(source=ACTIVITIES, days=30),
    "kinds": Distinct(source=ACTIVITIES, column="kind"),
    "share": share(ACTIVITIES, is_in("direction", "inbound"), days=60),
    "paid": Sum(source=RECEIPTS, column="gross_amount", days=30),
    "paid_mean": Mean(source=RECEIPTS, column="gross_amount"),
    "paid_last": Last(source=RECEIPTS, column="gross_amount"),
    "paid_most": Max(source=RECEIPTS, column="gross_amount", days=1),
    "paid_count": Count(source=RECEIPTS, days=1),
    "paid_days": DaysSince(source=RECEIPTS),
    "paid_trend": Trend(source=RECEIPTS, days=30),
    "instrument": Last(source=RECEIPTS, column="instrument"),
    "tickets": Count(source=TICKETS, where=(unknown("closed_at"),)),
    "tickets_closed": Count(source=TICKETS, days=30, **CLOSED),
    "satisfaction": Mean(source=TICKETS, column="satisfaction"),
    "satisfaction_last": Last(source=TICKETS, column="satisfaction", **CLOSED),
    "ordered_last": Last(source=ORDERS, column="product"),
    "quantity": Sum(source=ORDERS, column="quantity"),
    "money": Sum(source=ORDERS, column="net_amount"),
    "money_90": Last(source=ORDERS, column="net_amount", days=90),
    "matures": DaysUntil(source=RECEIPTS, at="matures_on"),
    "cash_matures": DaysUntil(source=RECEIPTS, at="matures_on", where=(is_in("instrument", "cash"),)),
    "returned": Count(source=ORDERS, where=(negative("quantity"),)),
    "bought_days": Rhythm(source=ORDERS, days=60, where=(not_negative("quantity"),), what="days"),
    "bought_gap": Rhythm(source=ORDERS, where=(not_negative("quantity"),), what="gap", usual_days=30.0),
    "overdue": Rhythm(source=ORDERS, where=(not_negative("quantity"),), what="overdue"),
    "paid_gap": Rhythm(source=RECEIPTS, days=90, what="gap"),
    "paid_overdue": Rhythm(source=RECEIPTS, what="overdue", usual_days=10.0),
    "rep_rate": Ratio(
        upper=Count(source=REP_LEADS, days=90, at="converted_at"), lower=Count(source=REP_LEADS, days=90)
    ),
    "rep_rate_drawn": Ratio(
        upper=Count(source=REP_LEADS, days=90, at="converted_at"),
        lower=Count(source=REP_LEADS, days=90),
        pseudo=4.0,
        prior=0.25,
    ),
    "moves": Count(source=CHANGES, where=(is_in("field", "rep_id"),)),
    "rep": Attribute(column="rep_id", table="leads"),
    "employees": Attribute(column="employees", table="leads"),
    "account": Attribute(column="account_id", table="leads"),
    "age": AgeDays(column="created_at", table="leads"),
    "since_rep": DaysInState(column="rep_id", table="leads"),
    "account_employees_drift": Drift(column="employees", table="accounts", reach="account_id"),
    "account_employees": Attribute(column="employees", table="accounts", reach="account_id"),
    "account_credit": Attribute(column="credit_limit", table="accounts", reach="account_id"),
    "account_industry": Attribute(column="industry", table="accounts", reach="account_id"),
    "weekday": Calendar(what="weekday"),
    "festival": Calendar(what="days_to_spring_festival"),
}
TEXTS = {"last_kind", "last_outcome", "instrument", "ordered_last", "rep", "account", "account_industry"}
GROUP = FeatureGroup(
    name="everything",
    entity="leads",
    doc="Every primitive.",
    features=tuple(
        feature(name, primitive, en=name, zh=name, group="test", kind=Kind.CATEGORY if name in TEXTS else Kind.NUMBER)
        for name, primitive in EVERYTHING.items()
    ),
)
LEAD_GROUPS = [group for group in GROUPS.values() if group.entity == "leads"]
DEAL_GROUPS = [group for group in GROUPS.values() if group.entity == "opportunities"]


class Rows:
    """The rows that belong to an entity, found by plain loops."""

    def __init__(self, world: Any, groups: list[FeatureGroup]) -> None:
        self.tables = world.tables
        self.entity = groups[0].entity
        self.changes: dict[object, list[Any]] = defaultdict(list)
        for change in world.tables["changes"]:
            self.changes[change["entity_id"]].append(change)
        primitives = [feature.primitive for group in groups for feature in group.features]
        sources = {source_of(p) for p in primitives if isinstance(p, Aggregate | Ratio)}
        self.sources = {source for source in sources if source.table != "changes"}
        self.keyed = {source: self.by_key(source) for source in self.sources}

    def by_key(self, source: Source) -> dict[object, list[Any]]:
        found: dict[object, list[Any]] = defaultdict(list)
        for row in self.tables[source.table]:
            found[self.first_key(source, row)].append(row)
        return found

    def first_key(self, source: Source, row: dict[str, object]) -> object:
        stated = table(source.table)
        changes = [c for c in self.changes[row[stated.key[0]]] if c["field"] == source.key]
        if not stated.column(source.key).mutable or not changes:
            return row[source.key]
        return min(changes, key=lambda c: (c["recorded_at"], c["occurred_at"], c["change_id"]))["old_value"]

    def events(self, entity_id: object, record: dict[str, object], as_of: Any) -> dict[str, list[Any]]:
        own = self.changes[entity_id]
        moment = moment_of(as_of, ZONE)
        reached = {
            reach: known_value(self.entity, reach, record, {"changes": own}, moment)
            for reach in {"account_id", "referrer_account_id" if self.entity == "leads" else "account_id", "rep_id"}
        }
        events: dict[str, list[Any]] = {"changes": list(own), "accounts": []}
        for account in {value for reach, value in reached.items() if "account" in reach} - {None}:
            events["changes"] += self.changes[account]
            events["accounts"] += [row for row in self.tables["accounts"] if row["account_id"] == account]
        for source in self.sources:
            value = entity_id
            if source.reach:
                value = known_value(self.entity, source.reach, record, {"changes": own}, moment)
            events[source.name] = [] if value is None else self.keyed[source].get(value, [])
        return events


def same(batch: object, array: object) -> bool:
    if isinstance(batch, float) and math.isnan(batch):
        batch = None
    if batch is None or array is None or isinstance(batch, str):
        return batch == array
    return math.isclose(float(str(batch)), float(str(array)), rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize(
    "groups", [[GROUP], LEAD_GROUPS, DEAL_GROUPS], ids=["every primitive", "lead groups", "opportunity groups"]
)
def test_array_form_equals_sql_form_on_random_histories(world: Any, groups: list[FeatureGroup]) -> None:
    entity = groups[0].entity
    spine = world.spine if entity == "leads" else world.deal_spine
    with world.engine() as engine:
        batch = build_features(engine, groups, spine, zone=ZONE, tables=world.tables).to_pylist()
    records = {row[table(entity).key[0]]: row for row in world.tables[entity]}
    rows = Rows(world, groups)
    differences = []
    for expected, row in zip(batch, spine.to_pylist(), strict=True):
        record = records[row["entity_id"]]
        events = rows.events(row["entity_id"], record, row["as_of"])
        array = compute_features(groups, record, events, row["as_of"], zone=ZONE)
        differences += [
            (row, name, expected[name], array[name]) for name in expected if not same(expected[name], array[name])
        ]
    assert differences[:3] == []


def test_random_histories_reach_every_feature(world: Any) -> None:
    with world.engine() as engine:
        batch = build_features(engine, [GROUP], world.spine, zone=ZONE, tables=world.tables)
    for name in batch.column_names:
        values = [value for value in batch.column(name).to_pylist() if value is not None and value == value]
        assert len(set(values)) > 1, name
