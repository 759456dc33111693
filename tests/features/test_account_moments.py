"""When an account is asked about, when it has left, and what is known of it then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.config import Config, TaskSection
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.build import build_features
from features.groups import agreement as agreement_groups
from features.groups.customer import GROUPS
from features.labels import label_rows
from features.leakage_store import check_store
from features.question import BadQuestion, Question
from features.spine import build_spine
from features.training_set import build_training_set
from models.tasks import renewal_risk
from models.tasks.churn_risk import TASK

ZONE = ZoneInfo("Europe/London")
CONFIG = Config.model_validate({"company": {"currency": "GBP", "time_zone": "Europe/London"}})
START = datetime(2026, 1, 10, 9, tzinfo=UTC)
RENEWALS = renewal_risk.TASK.question
# What a company sets whose agreements are left in the middle.
RUNNING = {"event": "cancelled", "horizon_days": 90}


def as_table(name: str, rows: list[dict[str, object]]) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    filled = [{"recorded_at": START, "ingested_at": START, "backfilled": True, "source": "s", **row} for row in rows]
    return pa.Table.from_pylist(filled, pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


def order(account: str, day: int, quantity: float | None = 5.0, *, known_late: int = 0) -> dict[str, object]:
    at = START + timedelta(days=day)
    return {
        "order_id": f"{account}-{day}-{quantity}",
        "line": "1",
        "account_id": account,
        "ordered_at": at,
        "quantity": quantity,
        "recorded_at": at + timedelta(days=known_late),
    }


def agreement(account: str, starts: date, cancelled: date | None = None, ends: date | None = None) -> dict[str, object]:
    return {
        "agreement_id": f"{account}-{starts}",
        "account_id": account,
        "signed_on": starts,
        "starts_on": starts,
        "ends_on": ends,
        "cancelled_at": cancelled,
    }


def record(folder: Path, **tables: list[dict[str, object]]) -> Generation:
    store = Store(folder)
    with store.writing() as writer:
        for name, rows in tables.items():
            writer.replace(name, as_table(name, rows), {})
    return store.current()


def asked(event: str = "lapsed", **changed: int) -> Question:
    return replace(TASK.question, event=event, **changed)


def rows_of(generation: Generation, question: Question) -> dict[tuple[str, str], float]:
    spine = build_spine(generation, question, zone=ZONE, seed=1)
    label = label_rows(generation, question, spine)
    days = [f"{at:%m-%d %H}" for at in spine.column("as_of").to_pylist()]
    return dict(zip(zip(spine.column("entity_id").to_pylist(), days, strict=True), label.tolist(), strict=True))


def test_an_account_is_asked_about_at_every_months_beginning_after_its_first_purchase(tmp_path: Path) -> None:
    found = rows_of(record(tmp_path, orders=[order("a", 0), order("b", 40), order("z", 120)]), asked())
    assert [day for name, day in found if name == "a"] == ["02-01 00", "03-01 00", "03-31 23", "04-30 23"]
    assert [day for name, day in found if name == "b"] == ["03-01 00", "03-31 23", "04-30 23"]


def test_an_account_that_bought_within_the_window_stays_and_one_that_did_not_has_lapsed(tmp_path: Path) -> None:
    # The last day on record is 14 July, the window of 1 April ends on 30 June, that of 1 May on 29 July.
    rows = [order("a", 0), order("a", 80), order("b", 0), order("b", 82, -1.0), order("c", 0), order("z", 185)]
    found = rows_of(record(tmp_path, orders=rows), asked())
    assert found["a", "02-01 00"] == 0.0
    assert found["b", "02-01 00"] == 1.0
    assert found["a", "03-31 23"] == 1.0
    assert np.isnan(found["c", "04-30 23"])


def test_a_return_makes_no_customer_and_an_order_without_a_quantity_does(tmp_path: Path) -> None:
    found = rows_of(record(tmp_path, orders=[order("a", 0, -2.0), order("b", 0, None), order("z", 100)]), asked())
    assert {name for name, _ in found} == {"b"}


def test_an_account_whose_purchase_was_not_recorded_yet_is_not_asked_about(tmp_path: Path) -> None:
    found = rows_of(record(tmp_path, orders=[order("a", 0, known_late=30), order("z", 100)]), asked())
    assert next(day for name, day in found if name == "a") == "03-01 00"


def test_an_account_without_a_purchase_in_a_year_is_no_customer_any_more(tmp_path: Path) -> None:
    found = rows_of(record(tmp_path, orders=[order("a", 0), order("z", 500)]), asked())
    assert sum(name == "a" for name, _ in found) == 12


def test_a_cancellation_inside_the_window_is_the_event_and_ends_the_rows(tmp_path: Path) -> None:
    rows = [
        agreement("a", date(2026, 1, 5), cancelled=date(2026, 5, 10)),
        agreement("b", date(2026, 1, 5)),
        agreement("c", date(2026, 1, 5), ends=date(2026, 3, 20)),
    ]
    generation = record(tmp_path, agreements=rows, orders=[order("z", 210)])
    found = rows_of(generation, asked("cancelled"))
    assert {day: y for (name, day), y in found.items() if name == "a"} == {
        "02-01 00": 0.0,
        "03-01 00": 1.0,
        "03-31 23": 1.0,
        "04-30 23": 1.0,
    }
    assert found["b", "03-01 00"] == 0.0
    assert [day for name, day in found if name == "c"] == ["02-01 00", "03-01 00"]


def test_an_event_that_accounts_do_not_know_is_refused(tmp_path: Path) -> None:
    generation = record(tmp_path, orders=[order("a", 0)])
    with pytest.raises(BadQuestion, match="lapsed"):
        build_spine(generation, asked("won"), zone=ZONE, seed=1)


def test_the_gap_now_is_held_against_the_accounts_own_habit(tmp_path: Path) -> None:
    rows = [order("weekly", day) for day in range(0, 50, 7)] + [order("once", 49)]
    generation = record(tmp_path, orders=rows)
    spine = pa.table({"entity_id": ["weekly", "once"], "as_of": pa.array([START + timedelta(days=70)] * 2)})
    spine = spine.set_column(1, "as_of", spine.column("as_of").cast(pa.timestamp("us")))
    found = build_features(generation, GROUPS, spine, zone=ZONE).to_pylist()
    assert [row["days_since_purchase"] for row in found] == [21.0, 21.0]
    # Eight days of purchase over 49 days, and one more gap of a quarter: (49 + 90) / 8.
    assert found[0]["usual_gap_days"] == pytest.approx(139 / 8)
    assert found[1]["usual_gap_days"] == 90.0
    assert found[0]["gap_over_habit"] == pytest.approx(21 / (139 / 8))
    assert found[0]["n_purchase_days_90d"] == 8.0


def test_no_feature_of_a_customer_moves_with_what_was_not_known(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_company(make_company("tiny", 4), store)
    generation = store.current()
    spine = build_spine(generation, asked(), zone=ZONE, seed=1)
    assert spine.num_rows
    assert check_store(generation, GROUPS, spine, zone=ZONE, seed=3) == ()
    running = build_spine(generation, replace(RENEWALS, **RUNNING), zone=ZONE, seed=1)
    assert check_store(generation, agreement_groups.GROUPS, running, zone=ZONE, seed=3) == ()
    due = build_spine(generation, RENEWALS, zone=ZONE, seed=1)
    assert due.num_rows
    assert check_store(generation, agreement_groups.GROUPS, due, zone=ZONE, seed=3) == ()


def test_training_rows_of_accounts_carry_label_account_and_event(tmp_path: Path) -> None:
    rows = [order("a", day) for day in range(0, 200, 9)] + [order("b", 3), order("b", 30)]
    accounts = [{"account_id": name, "region": name.upper(), "created_at": START} for name in ("a", "b")]
    found = build_training_set(record(tmp_path, orders=rows, accounts=accounts), TASK.question, config=CONFIG)
    assert found.event == "customer left: neither renewed nor bought when due"
    assert set(found.group.tolist()) == {"a", "b"}
    known = np.isfinite(found.label)
    assert (
        found.label[known] == (found.entity_id[known] == "b") * (found.as_of[known] > np.datetime64("2026-02-08"))
    ).all()


def test_an_agreement_is_asked_about_while_it_runs_and_lost_when_it_is_cancelled(tmp_path: Path) -> None:
    rows = [
        agreement("a", date(2026, 1, 12), cancelled=date(2026, 3, 20)),
        agreement("b", date(2026, 1, 12)),
        agreement("c", date(2026, 1, 12), ends=date(2026, 1, 20)),
    ]
    use = [{"account_id": "a", "used_on": date(2026, 1, day), "events": 3.0} for day in (1, 2)]
    generation = record(tmp_path, agreements=rows, usage=use, orders=[order("z", 300)])
    config = CONFIG.model_copy(update={"tasks": {"renewal_risk": TaskSection.model_validate(RUNNING)}})
    found = build_training_set(generation, RENEWALS, config=config)
    of = {name: found.take(found.entity_id == f"{name}-2026-01-12") for name in "abc"}
    assert of["a"].label.tolist()
    assert of["a"].label.max() == 1.0
    assert (of["a"].as_of < np.datetime64("2026-03-20")).all()
    assert set(of["b"].label[np.isfinite(of["b"].label)]) == {0.0}
    assert (of["c"].as_of < np.datetime64("2026-01-20")).all()
    assert set(found.group.tolist()) == {"a", "b", "c"}
    first = of["a"].rows.to_pylist()[0]
    assert first["days_since_use"] == first["agreement_age_days"] + 10.0


def test_a_renewal_is_asked_about_four_times_and_lost_without_one_within_the_grace(tmp_path: Path) -> None:
    ends = date(2027, 1, 11)
    terms = {"kind": "subscription", "net_amount": 100_000}
    rows = [agreement(name, date(2026, 1, 12), ends=ends) | terms for name in "abcd"]
    renewals = [("a", date(2026, 11, 20), 100_000), ("b", date(2027, 1, 20), 60_000), ("c", date(2027, 3, 1), 100_000)]
    for row, (name, signed, amount) in zip(rows, renewals, strict=False):
        row["renewed_to"] = f"{name}-{signed}"
        rows.append(agreement(name, signed) | terms | {"net_amount": amount})
    generation = record(tmp_path, agreements=rows, orders=[order("z", 700)])
    found = build_training_set(generation, RENEWALS, config=CONFIG)
    of = {name: found.take(found.entity_id == f"{name}-2026-01-12") for name in "abcd"}
    left = np.array([120, 90, 60, 30], dtype="timedelta64[D]")
    asked_on = (of["d"].as_of + np.timedelta64(1, "h")).astype("datetime64[D]")
    assert (asked_on == np.datetime64("2027-01-11") - left).all()
    assert {name: set(one.label) for name, one in of.items()} == {"a": {0.0}, "b": {1.0}, "c": {1.0}, "d": {1.0}}
    # Signed between the third and the last question: nothing is left to ask.
    assert len(of["a"].label) == 3


def covered(name: str, starts: date, ends: date, kind: str = "subscription", **more: object) -> dict[str, object]:
    return agreement(name, starts, ends=ends) | {"kind": kind, **more}


def test_a_covered_account_is_asked_about_only_when_its_cover_may_end_in_the_window(tmp_path: Path) -> None:
    rows = [covered("a", date(2026, 1, 11), date(2026, 12, 31)), covered("b", date(2026, 1, 11), date(2026, 12, 31))]
    rows.append(covered("b", date(2027, 1, 1), date(2027, 12, 31), signed_on=date(2026, 11, 20)))
    found = rows_of(record(tmp_path, agreements=rows, orders=[order("a", 0), order("z", 500)]), asked())
    # With 30 days of grace its cover lasts to 30 January: the window of 1 November ends on that day.
    assert {day: y for (name, day), y in found.items() if name == "a"} == {"12-01 00": 1.0}
    assert not [name for name, _ in found if name == "b"]


def test_a_purchase_stays_an_account_only_after_its_cover_ran_out(tmp_path: Path) -> None:
    rows = [covered(name, date(2026, 1, 11), date(2026, 6, 15)) for name in ("early", "after")]
    orders = [order("early", 150), order("after", 180), order("z", 400)]
    found = rows_of(record(tmp_path, agreements=rows, orders=orders), asked())
    assert found["early", "05-31 23"] == 1.0
    assert found["after", "05-31 23"] == 0.0
    assert ("early", "07-31 23") not in found, "what it bought, it bought while it was covered"
    assert ("after", "07-31 23") in found


def test_a_licence_covers_nobody_and_its_maintenance_does(tmp_path: Path) -> None:
    licence = agreement("owner", date(2026, 1, 11)) | {"kind": "licence"}
    kept = agreement("kept", date(2026, 1, 11)) | {"kind": "licence"}
    maintained = covered("kept", date(2026, 1, 12), date(2027, 1, 11), "maintenance", net_amount=10)
    orders = [order("owner", 0), order("kept", 0), order("z", 300)]
    generation = record(tmp_path, agreements=[licence, kept, maintained], orders=orders)
    found = rows_of(generation, asked())
    assert found["owner", "02-01 00"] == 1.0
    assert not [day for name, day in found if name == "kept"]
    due = build_spine(generation, RENEWALS, zone=ZONE, seed=1)
    assert set(due.column("entity_id").to_pylist()) == {"kept-2026-01-12"}


def test_money_is_read_as_it_was_first_booked_and_cover_as_it_was_first_agreed(tmp_path: Path) -> None:
    booked = [order("a", 5) | {"net_amount": 90_000}, order("a", 8) | {"net_amount": 10_000}]
    corrected = START + timedelta(days=60)
    changes = [
        {
            "change_id": str(n),
            "entity": entity,
            "entity_id": key,
            "field": field,
            "old_value": old,
            "new_value": "0",
            "occurred_at": corrected,
            "recorded_at": corrected,
        }
        for n, (entity, key, field, old) in enumerate(
            [
                ("orders", "a-5-5.0|1", "net_amount", "50000"),
                ("agreements", "a-2026-01-11", "ends_on", "2026-03-31"),
            ]
        )
    ]
    agreements = [covered("a", date(2026, 1, 11), date(2026, 12, 31))]
    accounts = [{"account_id": "a", "created_at": START}]
    generation = record(tmp_path, orders=booked, agreements=agreements, changes=changes, accounts=accounts)
    spine = pa.table({"entity_id": ["a", "a"], "as_of": pa.array([START + timedelta(days=n) for n in (20, 90)])})
    spine = spine.set_column(1, "as_of", spine.column("as_of").cast(pa.timestamp("us")))
    found = build_features(generation, ("customer_money", "customer_relation"), spine, zone=ZONE).to_pylist()
    assert [row["order_money_365d"] for row in found] == [600.0, 600.0]
    assert [row["days_covered"] for row in found] == [60.0, -10.0]
    at_stake = build_training_set(generation, TASK.question, config=CONFIG, spine=spine)
    assert at_stake.value.tolist() == [600.0, 600.0]


def test_an_account_is_asked_about_only_when_silence_would_go_beyond_its_own_habit(tmp_path: Path) -> None:
    yearly = [order("yearly", day) for day in (0, 365, 730)]
    weekly = [order("weekly", day) for day in range(0, 731, 7)]
    record(tmp_path, orders=[*yearly, *weekly, order("z", 1300)])
    # Gaps of 365 and 366 days drawn by one of its kind's, a few weeks: the next one is due after some 250 days.
    after = np.datetime64("2028-01-11")
    first = {
        name: min(at for one, at in spine_days(tmp_path) if one == name and at > after) for name in ("yearly", "weekly")
    }
    assert first == {"yearly": np.datetime64("2028-06-30T23:00"), "weekly": np.datetime64("2028-02-01T00:00")}


def spine_days(folder: Path) -> list[tuple[str, np.datetime64]]:
    spine = build_spine(Store(folder).current(), asked(), zone=ZONE, seed=1)
    return list(zip(spine["entity_id"].to_pylist(), spine["as_of"].to_numpy(), strict=True))


def test_what_is_recorded_later_changes_neither_who_is_asked_nor_when(tmp_path: Path) -> None:
    store = Store(tmp_path / "whole")
    write_company(make_company("tiny", 4), store)
    whole = build_spine(store.current(), asked(), zone=ZONE, seed=1)
    moment = pa.scalar(sorted(set(whole["as_of"].to_pylist()))[-8], pa.timestamp("us"))
    early = Store(tmp_path / "early")
    with early.writing() as writer:
        for name in ("orders", "agreements", "accounts", "changes"):
            rows = store.current().read(name)
            writer.replace(name, rows.filter(pc.less_equal(rows["recorded_at"], pa.scalar(moment.as_py()))), {})
    known = build_spine(early.current(), asked(), zone=ZONE, seed=1)
    at_once = [table.filter(pc.less(table["as_of"], moment)).to_pylist() for table in (whole, known)]
    assert at_once[0] == at_once[1]
    assert len(at_once[0]) > 20


def test_a_running_project_is_no_silence_and_whatever_is_signed_was_bought(tmp_path: Path) -> None:
    projects = [
        agreement("builds", date(2026, 2, 10), ends=date(2026, 12, 31)) | {"kind": "project"},
        agreement("signs", date(2026, 4, 20), ends=date(2026, 5, 20)) | {"kind": "project"},
    ]
    orders = [order(name, 0) for name in ("builds", "signs", "leaves")] + [order("z", 340)]
    found = rows_of(record(tmp_path, orders=orders, agreements=projects), asked())
    assert found["builds", "02-01 00"] == 0.0
    assert [day for name, day in found if name == "builds"] == ["02-01 00"]
    assert (found["signs", "02-01 00"], found["leaves", "02-01 00"]) == (0.0, 1.0)
