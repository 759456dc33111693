"""Calls of the pipeline: equal to a plain count over random histories, and blind to what comes later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.money import Measure, NoMeasure
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.call_pipeline import FEWEST_CLOSED
from features.call_yields import read_yield, scale_call
from features.calls import Calls, read_calls
from features.nodes import Level
from features.panel import read_panels

ZONE = ZoneInfo("Asia/Shanghai")
LONG_AGO = datetime(2020, 1, 1)  # noqa: DTZ001 - the record's timestamps are naive UTC
START = datetime(2023, 1, 1)  # noqa: DTZ001 - as above
REPS = {"R1": ("East", "east-1"), "R2": ("East", "east-2"), "R3": ("West", "west-1")}
ACCOUNTS = {"A1": ("North", "R1", "steel"), "A2": ("West", None, "retail"), "A3": (None, "R3", None)}
MONTHS = np.arange("2025-04", "2025-10", dtype="datetime64[M]")
Rows = Sequence[Mapping[str, object]]


@dataclass
class Deal:
    name: str
    created: datetime
    account: str
    first: dict[str, object]
    changes: list[tuple[datetime, str, object]] = field(default_factory=list)
    closed: datetime | None = None
    outcome: str = "open"

    def at(self, name: str, moment: datetime) -> object:
        said = [value for when, what, value in self.changes if what == name and when <= moment]
        return said[-1] if said else self.first[name]

    def ended(self, moment: datetime) -> str | None:
        return self.outcome if self.closed is not None and self.closed <= moment else None


@dataclass
class Signed:
    name: str
    on: date
    account: str
    rep: str | None
    amount: int
    deal: str | None = None


def make_history(seed: int) -> tuple[list[Deal], list[Signed]]:
    rng = np.random.default_rng(seed)

    def pick(*values: object) -> object:
        return values[int(rng.integers(len(values)))]

    def promised(moment: datetime) -> object:
        return None if rng.random() < 0.15 else (moment + timedelta(days=int(rng.integers(-20, 120)))).date()

    deals, signed = [], []
    for number in range(160):
        created = START + timedelta(minutes=int(rng.integers(1_350_000)))
        values: dict[str, object] = {
            "stage": "new",
            "net_amount": int(rng.integers(1, 10**6)),
            "expected_close_on": promised(created),
            "forecast_category": "pipeline",
            "rep_id": pick("R1", "R2", "R3", "R9", None),
        }
        deal = Deal(f"D{number:03d}", created, str(pick("A1", "A2", "A3")), values)
        moment = created
        for _ in range(int(rng.integers(0, 6))):
            moment += timedelta(minutes=int(rng.integers(1, 50_000)))
            name = str(pick(*values))
            new = {
                "stage": pick("offer", "talks", "new", "rare" if rng.random() < 0.1 else "offer"),
                "net_amount": int(rng.integers(1, 10**6)),
                "expected_close_on": promised(moment),
                "forecast_category": pick("commit", "best_case", "pipeline"),
                "rep_id": pick("R1", "R2", "R3"),
            }[name]
            if new != deal.at(name, moment):
                deal.changes.append((moment, name, new))
        if rng.random() < 0.7:
            deal.closed = moment + timedelta(minutes=int(rng.integers(1, 100_000)))
            deal.outcome = str(pick("won", "lost"))
            if deal.outcome == "won":
                on = (deal.closed + timedelta(days=int(rng.integers(0, 9)))).date()
                amount = deal.at("net_amount", deal.closed)
                assert isinstance(amount, int)
                signed.append(Signed(f"G{number:03d}", on, deal.account, "R2", amount, deal.name))
        deals.append(deal)
    for number in range(60):
        on = START.date() + timedelta(days=int(rng.integers(950)))
        signed.append(Signed(f"H{number}", on, "A2", None, int(rng.integers(1, 10**6))))
    return deals, signed


def write(folder: Path, deals: Sequence[Deal], signed: Sequence[Signed], until: datetime) -> Generation:
    """The record as it stands at a moment, with what the rows say then."""
    tables: dict[str, list[dict[str, object]]] = {
        "reps": [{"rep_id": r, "region": g, "team_id": t, "recorded_at": LONG_AGO} for r, (g, t) in REPS.items()],
        "accounts": [
            {"account_id": a, "region": g, "rep_id": r, "industry": i, "recorded_at": LONG_AGO}
            for a, (g, r, i) in ACCOUNTS.items()
        ],
        "agreements": [
            {
                "agreement_id": one.name,
                "opportunity_id": one.deal,
                "account_id": one.account,
                "rep_id": one.rep,
                "signed_on": one.on,
                "net_amount": one.amount,
                "recorded_at": datetime.combine(one.on, datetime.min.time()) + timedelta(hours=9),
            }
            for one in signed
            if datetime.combine(one.on, datetime.min.time()) + timedelta(hours=9) <= until
        ],
        "opportunities": [],
        "changes": [],
    }
    for deal in deals:
        if deal.created > until:
            continue
        row = {name: deal.at(name, until) for name in deal.first}
        if deal.ended(until):
            row |= {"closed_at": deal.closed, "outcome": deal.outcome, "stage": deal.outcome}
        row |= {"opportunity_id": deal.name, "created_at": deal.created, "account_id": deal.account}
        tables["opportunities"].append({**row, "recorded_at": deal.created})
        told = list(deal.changes)
        if deal.closed is not None:
            told.append((deal.closed, "stage", deal.outcome))
        for number, (when, name, new) in enumerate(told):
            if when > until:
                continue
            before = [value for _, what, value in told[:number] if what == name]
            old = before[-1] if before else deal.first[name]
            change = {"change_id": f"{deal.name}-{number}", "entity": "opportunities", "entity_id": deal.name}
            values = {"old_value": None if old is None else str(old), "new_value": None if new is None else str(new)}
            tables["changes"].append({**change, **values, "field": name, "occurred_at": when, "recorded_at": when})
    return write_tables(folder, **tables)


def write_tables(folder: Path, **tables: Rows) -> Generation:
    store = Store(folder)
    with store.writing() as writer:
        for name, rows in tables.items():
            columns = (*table(name).columns, *SYSTEM_COLUMNS)
            schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
            filled = [{"backfilled": False, "source": "test", **row} for row in rows]
            writer.replace(name, pa.Table.from_pylist(filled, schema=schema))
    return store.current()


def calls(generation: Generation, as_of: datetime, months: np.ndarray = MONTHS) -> Calls:
    return read_calls(generation, as_of.replace(tzinfo=UTC), months, zone=ZONE, currency="CNY")


@dataclass
class Told:
    """The calls of one node and month, counted row by row."""

    signed: int = 0
    weighted: float = 0.0
    commit: int = 0
    best: int = 0


def month_of(day: date) -> str:
    return day.isoformat()[:7]


def is_of(node: str, rep: object, account: str) -> bool:
    region, owner, industry = ACCOUNTS[account]
    rep = rep or owner
    its_region, team = REPS.get(str(rep), (None, None))
    named = {f"region:{its_region or region}", f"team:{team}", f"industry:{industry}", "company"}
    return node in named or (rep in REPS and node == f"rep:{rep}")


def count(deals: Sequence[Deal], signed: Sequence[Signed], at: datetime, node: str, month: str) -> Told:
    """The definition in plain Python."""
    told, today = Told(), at.replace(tzinfo=UTC).astimezone(ZONE).date()
    known = [one for one in signed if one.on < today]
    there = [deal for deal in deals if deal.created <= at]
    ended = [deal for deal in there if deal.ended(at)]
    won = [deal for deal in ended if deal.ended(at) == "won"]
    usual = round(median([(deal.closed - deal.created).total_seconds() / 86_400 for deal in won if deal.closed]))
    for one in known:
        if month_of(one.on) == month and is_of(node, one.rep, one.account):
            told.signed += one.amount
    for deal in there:
        amount, rep = deal.at("net_amount", at), deal.at("rep_id", at)
        assert isinstance(amount, int)
        if not is_of(node, rep, deal.account):
            continue
        if deal in won and deal.closed is not None and deal.closed > at - timedelta(days=30):
            waits = deal.name not in {one.deal for one in known}
            told.signed += amount if waits and month_of(today) == month else 0
        promised = deal.at("expected_close_on", at) or deal.created.date() + timedelta(days=usual)
        assert isinstance(promised, date)
        if deal in ended or month_of(max(promised, today)) != month:
            continue
        stage = deal.at("stage", at)
        stood = [d for d in ended if stage in {d.first["stage"], *(v for w, n, v in d.changes if n == "stage")}]
        stood = stood if len(stood) >= FEWEST_CLOSED else ended
        told.weighted += amount * sum(d in won for d in stood) / len(stood)
        category = deal.at("forecast_category", at)
        told.commit += amount if category == "commit" else 0
        told.best += amount if category in ("commit", "best_case") else 0
    return told


@pytest.mark.parametrize("seed", [1, 2])
def test_calls_are_what_a_count_row_by_row_gives(tmp_path: Path, seed: int) -> None:
    deals, signed = make_history(seed)
    generation = write(tmp_path, deals, signed, datetime(2026, 1, 1))  # noqa: DTZ001
    nodes = ["company", "region:East", "region:West", "region:North", "team:east-2", "rep:R3", "industry:steel"]
    for at in (datetime(2025, 3, 31, 16), datetime(2025, 5, 12, 7, 30)):  # noqa: DTZ001
        found = calls(generation, at)
        for place, node in enumerate(nodes):
            for column, month in enumerate(MONTHS.astype(str)):
                told = count(deals, signed, at, node, month)
                expected = np.array([0, told.weighted, told.commit, told.best]) / 100 + told.signed / 100
                names = ("signed", "stage_weighted", "commit", "best_case")
                values = [found.of(name, nodes)[place, column] for name in names]
                assert values == pytest.approx(expected), (node, month, at)


def test_what_comes_later_changes_no_call(tmp_path: Path) -> None:
    deals, signed = make_history(3)
    at = datetime(2025, 5, 12, 7, 30)  # noqa: DTZ001
    then = calls(write(tmp_path / "then", deals, signed, at), at)
    later = calls(write(tmp_path / "later", deals, signed, datetime(2026, 1, 1)), at)  # noqa: DTZ001

    for name in ("signed", "stage_weighted", "commit", "best_case", "last_year", "last_year_grown"):
        np.testing.assert_array_equal(then.of(name, then.nodes), later.of(name, then.nodes), name)


def flat(folder: Path, amounts: Mapping[str, int]) -> Generation:
    rows = [
        {
            "agreement_id": month,
            "rep_id": "R1",
            "signed_on": date.fromisoformat(f"{month}-05"),
            "net_amount": 100 * amount,
            "recorded_at": datetime.fromisoformat(f"{month}-05"),
        }
        for month, amount in amounts.items()
    ]
    return write_tables(folder, agreements=rows)


def test_last_year_is_the_newest_closed_month_of_the_name_and_grows_as_the_years_did(tmp_path: Path) -> None:
    months = np.arange("2023-01", "2025-01", dtype="datetime64[M]").astype(str)
    record = flat(tmp_path, {month: 100 if month < "2024" else 150 for month in months})
    asked = np.array(["2025-01", "2025-12", "2026-01", "2024-03"], dtype="datetime64[M]")
    found = calls(record, datetime(2024, 12, 31, 16), asked)  # noqa: DTZ001

    assert found.of("last_year", ["company"]).tolist() == [[150.0, 150.0, 150.0, 100.0]]
    assert found.of("last_year_grown", ["company"])[0] == pytest.approx([225.0, 225.0, 337.5, 150.0])


def test_a_call_that_nobody_can_make_is_unknown(tmp_path: Path) -> None:
    found = calls(flat(tmp_path, {"2024-11": 7}), datetime(2024, 12, 1))  # noqa: DTZ001
    no_month = found.of("signed", ["company", "region:Nowhere", "series:x"])

    assert no_month[0].tolist() == no_month[1].tolist() == [0.0] * len(MONTHS)
    assert np.isnan(no_month[2]).all()
    for name in ("stage_weighted", "commit", "best_case", "last_year_grown"):
        assert np.isnan(found.of(name, ["company", "region:Nowhere"])).all(), name


def test_without_bookings_nothing_is_called(tmp_path: Path) -> None:
    with pytest.raises(NoMeasure, match="bookings"):
        calls(write_tables(tmp_path, reps=[{"rep_id": "R1", "recorded_at": LONG_AGO}]), datetime(2025, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("amounts", ["net", "gross"])
def test_what_was_signed_is_what_panels_count_at_every_node(
    tiny_company: Generation, amounts: Literal["net", "gross"]
) -> None:
    generation = tiny_company
    as_of = generation.recorded_to
    panel = read_panels(generation, [Measure.BOOKINGS], as_of, zone=ZONE, currency="CNY", amounts=amounts)["bookings"]
    calls = read_calls(generation, as_of, panel.months, zone=ZONE, currency="CNY", amounts=amounts)

    assert {node.level for node in panel.nodes} == set(Level) - {Level.SERIES}
    assert calls.of("signed", [node.node_id for node in panel.nodes]).tolist() == panel.values.tolist()


def test_a_call_remembers_what_came_true_at_the_same_point_of_earlier_quarters(tmp_path: Path) -> None:
    deals, signed = make_history(4)
    generation = write(tmp_path, deals, signed, datetime(2026, 1, 1))  # noqa: DTZ001
    at = datetime(2025, 5, 12, 7, 30, tzinfo=UTC)
    quarter = np.arange("2025-04", "2025-07", dtype="datetime64[M]")
    came = called = 0.0
    for back, earlier in ((3, datetime(2025, 2, 12, 7, 30)), (6, datetime(2024, 11, 12, 7, 30))):  # noqa: DTZ001
        months = quarter - np.timedelta64(back, "M")
        then, now = calls(generation, earlier, months), calls(generation, at, months)
        came += (now.of("signed", ["company"]) - then.of("signed", ["company"])).sum()
        called += (then.of("commit", ["company"]) - then.of("signed", ["company"])).sum()
    found = read_yield(generation, at, quarter, "commit", zone=ZONE, currency="CNY", n_quarters=2)
    told = calls(generation, at, quarter)

    assert found == pytest.approx(came / called)
    scaled = scale_call(told, "commit", found)
    assert scaled - told.signed == pytest.approx(found * (told.commit - told.signed))
    first = write_tables(tmp_path / "first", agreements=[agreement_of("2025-05-02")])
    assert np.isnan(read_yield(first, at, quarter, "commit", zone=ZONE, currency="CNY"))


def agreement_of(day: str) -> dict[str, object]:
    recorded = datetime.fromisoformat(day)
    return {"agreement_id": day, "signed_on": recorded.date(), "net_amount": 100, "recorded_at": recorded}
