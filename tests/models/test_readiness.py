"""What the record is good for is said per task, with the reason."""

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from crm.config import Config, TaskSection
from crm.schema import SYSTEM_COLUMNS, DType, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from models.readiness import DAY_ONE, KEPT, TaskReadiness, read_readiness

START = datetime(2025, 1, 1)  # noqa: DTZ001 - the record's timestamps are naive UTC
END = datetime(2026, 1, 1)  # noqa: DTZ001


def write(tmp_path: Path, custom: dict[str, DType] | None = None, **tables: list[dict[str, object]]) -> Generation:
    store = Store(tmp_path / "record")
    with store.writing() as writer:
        for name, rows in tables.items():
            columns = [(column.name, arrow_type(column.dtype)) for column in (*table(name).columns, *SYSTEM_COLUMNS)]
            filled = [{"recorded_at": END, "backfilled": True, "source": name} | row for row in rows]
            writer.replace(name, pa.Table.from_pylist(filled, schema=pa.schema(columns)), custom)
    return store.current()


def leads(count: int, converted: int) -> list[dict[str, object]]:
    return [
        {
            "lead_id": str(n),
            "created_at": START + timedelta(days=n % 300),
            "channel": "web",
            "converted_at": START + timedelta(days=n % 300 + 5) if n < converted else None,
        }
        for n in range(count)
    ]


def of_lead_score(generation: Generation, config: Config) -> TaskReadiness:
    (found,) = [one for one in read_readiness(generation, config).tasks if one.task == "lead_score"]
    return found


QUALIFIED = Config(tasks={"lead_score": TaskSection(event="qualified")})


def test_a_task_without_its_tables_is_not_possible_and_says_which(tmp_path: Path) -> None:
    found = of_lead_score(write(tmp_path, accounts=[{"account_id": "a"}]), QUALIFIED)
    assert found.status == "not possible"
    assert found.missing_tables[0] == "leads"
    assert found.reasons == ("needs leads, which has no rows",)


def test_missing_tables_switch_features_off_and_never_the_task(tmp_path: Path) -> None:
    found = of_lead_score(write(tmp_path, leads=leads(200, 40)), QUALIFIED)
    assert found.status == "degraded"
    assert "activities" in found.missing_tables
    assert any(name.startswith("n_") for name in found.switched_off)
    assert (found.n_known, found.n_events) == (200, 40)


def test_an_outcome_is_not_known_until_its_window_has_passed(tmp_path: Path) -> None:
    late: list[dict[str, object]] = [{"lead_id": f"late{n}", "created_at": END - timedelta(days=30)} for n in range(50)]
    found = of_lead_score(write(tmp_path, leads=[*leads(100, 20), *late]), QUALIFIED)
    assert found.n_known == 100


def test_too_few_outcomes_are_a_base_rate_and_said_so(tmp_path: Path) -> None:
    found = of_lead_score(write(tmp_path, leads=leads(20, 3)), QUALIFIED)
    assert "20 known outcomes (3 events), 30 needed: base rate only" in found.reasons


def test_a_flat_table_of_outcomes_makes_the_task_possible(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"task": "lead_score", "entity_id": str(n), "label": n % 3 == 0} for n in range(99)
    ]
    found = of_lead_score(write(tmp_path, observations=rows), QUALIFIED)
    assert (found.status, found.n_known, found.n_events) == ("degraded", 99, 33)
    assert found.reasons[0].startswith("trained on a flat table")


def test_a_record_without_changes_is_day_one(tmp_path: Path) -> None:
    change: dict[str, object] = {"entity": "leads", "entity_id": "1", "field": "rep_id", "new_value": "r"}
    assert read_readiness(write(tmp_path / "a", leads=leads(5, 1)), QUALIFIED).history == DAY_ONE
    changes = [change | {"change_id": str(n), "occurred_at": START + timedelta(days=30 * n)} for n in range(2)]
    known = read_readiness(write(tmp_path / "b", leads=leads(5, 1), changes=changes), QUALIFIED)
    assert (known.history, known.changes_since_days) == (KEPT, 30)


def test_completeness_counts_filled_cells_and_names_empty_columns(tmp_path: Path) -> None:
    (found,) = read_readiness(write(tmp_path, leads=leads(10, 5)), QUALIFIED).tables
    assert (found.rows, found.filled) == (10, 0.875)
    assert "campaign" in found.empty_columns


def test_features_that_wait_for_history_are_counted_and_the_page_of_day_one_is_named(tmp_path: Path) -> None:
    deals = [
        {
            "opportunity_id": str(n),
            "created_at": START + timedelta(days=n),
            "closed_at": START + timedelta(days=n + 40),
            "outcome": "won" if n % 2 else "lost",
            "stage": "closed",
        }
        for n in range(100)
    ]
    (day_one,) = [
        one
        for one in read_readiness(write(tmp_path, opportunities=deals), Config()).tasks
        if one.task == "win_probability"
    ]
    assert day_one.status == "degraded"
    assert any("wait for history" in reason and "docs/day-one.md" in reason for reason in day_one.reasons)
    change = {"change_id": "1", "entity": "opportunities", "entity_id": "1", "field": "stage", "old_value": "new"}
    generation = write(tmp_path / "later", opportunities=deals, changes=[change | {"occurred_at": START}])
    (later,) = [one for one in read_readiness(generation, Config()).tasks if one.task == "win_probability"]
    assert not any("wait for history" in reason for reason in later.reasons)


def test_accounts_and_agreements_count_by_the_moments_at_which_they_are_asked_about(tmp_path: Path) -> None:
    def agreement(name: str, renewed_to: str | None, signed: datetime) -> dict[str, object]:
        return {
            "agreement_id": name,
            "account_id": name[0],
            "kind": "subscription",
            "signed_on": signed.date(),
            "starts_on": signed.date(),
            "ends_on": (signed + timedelta(days=180)).date(),
            "net_amount": 100,
            "renewed_to": renewed_to,
            "recorded_at": signed,
        }

    rows = [agreement(f"{n}-1", f"{n}-2" if n % 2 else None, START) for n in range(4)]
    rows += [agreement(f"{n}-2", None, START + timedelta(days=170)) for n in range(4) if n % 2]
    accounts: list[dict[str, object]] = [{"account_id": str(n), "recorded_at": START} for n in range(4)]
    orders: list[dict[str, object]] = [
        {"order_id": str(n), "line": "1", "account_id": str(n), "ordered_at": START, "recorded_at": START}
        for n in range(4)
    ]
    end: list[dict[str, object]] = [{"ticket_id": "t", "account_id": "0", "opened_at": END, "recorded_at": END}]
    generation = write(tmp_path, accounts=accounts, agreements=rows, orders=orders, tickets=end)
    found = {one.task: one for one in read_readiness(generation, Config()).tasks}
    # The first agreements are settled by the end of July, what follows them ends with the record.
    assert (found["renewal_risk"].n_known, found["renewal_risk"].n_events) == (4, 2)
    assert (found["churn_risk"].n_known, found["churn_risk"].n_events) == (4, 2)
    assert "expected_gap_days" not in found["churn_risk"].switched_off
    assert "share_paid_late_365d" in found["churn_risk"].switched_off
