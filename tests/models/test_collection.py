"""The collection risk end to end: rows from the record, hazards with what lies ahead, lines, answers, cash by week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from crm.config import CollectionSection, CompanySection, Config
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.build import build_features
from features.invoice_set import build_invoice_set
from features.timed_set import TimedSet
from models.collection_details import N_WEEKS, collection_details
from models.details import Asked
from models.encoding import Value
from models.golden import make_golden
from models.hazard_bundle import HazardPredictor, load_hazard, save_hazard
from models.headline import NextLine
from models.tasks.collection_risk import TASK
from models.train_hazard import TrainedHazard, fit_hazard_task

CONFIG = Config(company=CompanySection(time_zone="UTC"))
QUICK = replace(
    TASK,
    candidates=("hazard_rate", "hazard_logistic"),
    feature_groups=("invoice_terms", "invoice_payments", "invoice_customer", "invoice_buyer"),
    folds=replace(TASK.folds, n_origins=1),
)
N_INVOICES, N_ACCOUNTS = 400, 12


def stored(folder: Path, rows: Mapping[str, list[dict[str, object]]]) -> Generation:
    store = Store(folder)
    with store.writing() as writer:
        for name, each in rows.items():
            columns = (*table(name).columns, *SYSTEM_COLUMNS)
            schema = pa.schema([(c.name, arrow_type(c.dtype)) for c in columns])
            writer.replace(name, pa.Table.from_pylist(each, schema))
    return store.current()


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """An invoice a day due after 30 days; small firms pay after about 15 days, government after about 45."""
    random = np.random.default_rng(1)
    names = ("accounts", "invoices", "receipts", "receipt_allocations")
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in names}
    start = datetime(2024, 6, 1, tzinfo=UTC).replace(tzinfo=None)
    for n in range(N_ACCOUNTS + 1):
        kind = "small" if n % 2 else "government"
        own: dict[str, object] = {"account_id": f"A{n}", "buyer_type": kind, "region": "north"}
        rows["accounts"].append({**own, "created_at": start, "recorded_at": start})
    for n in range(N_INVOICES):
        # The last account comes in at the very end: nobody has seen it pay.
        account = N_ACCOUNTS if n == N_INVOICES - 1 else n % N_ACCOUNTS
        issued = date(2025, 1, 1) + timedelta(days=n)
        days = max(2, round((15 if account % 2 else 45) + random.normal(0, 4)))
        own = {"account_id": f"A{account}", "gross_amount": 1000_00}
        due, known = issued + timedelta(days=30), datetime.combine(issued, datetime.min.time())
        key, paid = f"I{n}", issued + timedelta(days=days)
        rows["invoices"].append({"invoice_id": key, "issued_on": issued, "due_on": due, "recorded_at": known, **own})
        parts = [(f"{key}a", paid - timedelta(days=1), 400_00), (f"{key}b", paid, 600_00)]
        for part, on, amount in parts:
            if on > date(2025, 1, 1) + timedelta(days=N_INVOICES + 3):
                continue
            seen = datetime.combine(on, datetime.min.time())
            receipt = {"receipt_id": part, "account_id": f"A{account}", "received_on": on, "gross_amount": amount}
            rows["receipts"].append({**receipt, "recorded_at": seen})
            rows["receipt_allocations"].append(
                {"allocation_id": part, "receipt_id": part, "invoice_id": key, "amount": amount, "recorded_at": seen}
            )
    return stored(tmp_path_factory.mktemp("record"), rows)


@pytest.fixture(scope="module")
def rows(generation: Generation) -> TimedSet:
    return build_invoice_set(generation, QUICK.question, config=CONFIG)


@pytest.fixture(scope="module")
def trained(rows: TimedSet) -> TrainedHazard:
    return fit_hazard_task(QUICK, rows, seed=1)


def asked_about(generation: Generation, predictor: HazardPredictor, ids: list[str], on: date) -> Asked:
    moment = datetime.combine(on, datetime.min.time())
    spine = pa.table({"entity_id": ids, "as_of": pa.array([moment] * len(ids), pa.timestamp("us"))})
    found = build_features(generation, QUICK.feature_groups, spine, zone=CONFIG.company.zone)
    encoded, days = predictor.encoder.encode_table(found), np.full(len(ids), np.datetime64(on))
    values: list[dict[str, Value]] = [
        {name: None if value is None or value != value else value for name, value in row.items()}
        for row in found.to_pylist()
    ]
    probability = predictor.predict_rows(encoded, days)
    return Asked(scorer=predictor, rows=encoded, values=values, on=days, probability=probability)


def test_learner_that_tells_customers_apart_is_chosen_and_judged_on_the_next_line(trained: TrainedHazard) -> None:
    report = trained.report
    assert (report.status, report.learner, report.event) == ("trained", "hazard_logistic", "unpaid")
    assert report.metrics["test"]["auc"] > 0.85
    assert {"concordance", "log_loss"} <= set(report.metrics["test"])


def test_window_of_a_row_ends_at_the_next_line_it_may_cross(rows: TimedSet) -> None:
    windows = QUICK.windows(rows)
    due = rows.rows.column("days_past_due").to_numpy()
    np.testing.assert_array_equal(windows[due <= 0], 1 - due[due <= 0])
    very_late = (due > 0) & (due < 30)
    np.testing.assert_array_equal(windows[very_late], 30 - due[very_late])
    label = QUICK.asked_of(rows).label
    paid_in_time = (rows.outcomes.cause > 0) & (rows.outcomes.duration_days <= windows)
    assert (label[np.isfinite(label)] == 1 - paid_in_time[np.isfinite(label)]).all()
    assert np.isnan(label).any()


def test_nothing_that_was_recorded_after_a_moment_is_known_at_it(rows: TimedSet, generation: Generation) -> None:
    moment = datetime(2025, 9, 1, tzinfo=UTC)
    past = rows.known_at(np.datetime64(moment.replace(tzinfo=None)))
    cut = build_invoice_set(generation, QUICK.question, config=CONFIG, until=moment)
    before = cut.take(cut.as_of < np.datetime64(moment.replace(tzinfo=None)))
    assert past.entity_id.tolist() == before.entity_id.tolist()
    for name in ("cause", "duration_days", "follow_up_days"):
        np.testing.assert_array_equal(getattr(past.outcomes, name), getattr(before.outcomes, name))


def test_chances_sum_to_one_and_agree_with_the_probability(trained: TrainedHazard, generation: Generation) -> None:
    assert trained.predictor is not None
    asked = asked_about(generation, trained.predictor, ["I390", "I391", "I350"], date(2026, 2, 2))
    for row, p in zip(collection_details(asked), asked.probability, strict=True):
        chances = [float(str(row[name])) for name in ("p_on_time", "p_late", "p_very_late")]
        assert sum(chances) == pytest.approx(1.0)
        after = {"late": chances[1] + chances[2], "very_late": chances[2]}[str(row["event"])]
        assert after == pytest.approx(p, abs=1e-9)
    slow, fast, overdue = collection_details(asked)
    assert (slow["event"], slow["horizon_days"], slow["due_on"]) == ("late", 24, "2026-02-25")
    assert (overdue["event"], overdue["days_past_due"], overdue["p_on_time"]) == ("very_late", 17, 0.0)
    assert str(fast["expected_pay_on"]) < str(slow["expected_pay_on"])
    assert float(str(fast["p_on_time"])) > 0.7 > 0.4 > float(str(slow["p_on_time"]))


def test_cash_is_what_is_still_open_and_is_counted_once(trained: TrainedHazard, generation: Generation) -> None:
    assert trained.predictor is not None
    parts = [f"I{n}" for n in range(N_INVOICES - 60, N_INVOICES - 1)]
    told = collection_details(asked_about(generation, trained.predictor, parts, date(2026, 2, 8)))
    amounts = {row["open_amount"] for row in told}
    assert amounts >= {1000.0, 600.0}
    for row in told:
        weeks = row["expected_cash_by_week"]
        assert isinstance(weeks, list)
        assert len(weeks) == N_WEEKS
        total = sum(week["amount"] for week in weeks) + float(str(row["expected_cash_later"]))
        assert -0.1 <= total <= float(str(row["open_amount"])) + 0.1
    first = told[0]["expected_cash_by_week"]
    assert isinstance(first, list)
    assert first[0]["week_on"] == "2026-02-02"


def test_customer_seen_for_the_first_time_is_expected_like_its_kind(
    trained: TrainedHazard, generation: Generation, rows: TimedSet
) -> None:
    assert trained.predictor is not None
    new = asked_about(generation, trained.predictor, [f"I{N_INVOICES - 1}"], date(2026, 2, 5))
    assert new.values[0]["n_settled"] == 0.0
    assert new.values[0]["mean_days_to_pay"] is None
    government = float(np.nanmean(rows.rows.column("segment_late_share").to_numpy()[-200:]))
    assert new.values[0]["shrunk_late_share"] == new.values[0]["segment_late_share"]
    assert float(str(new.values[0]["segment_late_share"])) > government
    # Its number is even: a government buyer, of which nearly all pay late.
    assert new.probability[0] > 0.6


def test_without_a_due_day_thirty_days_after_issue_are_taken_and_said(
    trained: TrainedHazard, generation: Generation
) -> None:
    assert trained.predictor is not None
    asked = asked_about(generation, trained.predictor, ["I391"], date(2026, 2, 2))
    names = [field.name for field in trained.predictor.encoder.fields]
    encoded = asked.rows.copy()
    encoded[:, names.index("days_past_due")] = np.nan
    values = [{**asked.values[0], "days_past_due": None}]
    told = collection_details(replace(asked, rows=encoded, values=values))[0]
    assert (told["due_on"], told["horizon_days"], told["event"]) == (None, 25, "late")
    missing = told["missing"]
    assert isinstance(missing, list)
    assert missing[0]["figure"] == "due_on"


def test_bundle_answers_as_before_and_keeps_its_lines(trained: TrainedHazard, tmp_path: Path) -> None:
    assert trained.predictor is not None
    digest = save_hazard(
        trained.predictor, tmp_path / "b", cards={}, report="{}", golden=make_golden(trained.predictor)
    )
    loaded = load_hazard(tmp_path / "b", digest)
    assert loaded.lines == NextLine()
    assert loaded.ahead_names == trained.predictor.ahead_names
    assert "past_due" in loaded.ahead_names
    assert "to_year_end" not in loaded.ahead_names
    assert make_golden(loaded) == make_golden(trained.predictor)


def test_reasons_of_a_row_sum_to_its_log_odds(trained: TrainedHazard, generation: Generation) -> None:
    assert trained.predictor is not None
    asked = asked_about(generation, trained.predictor, ["I390", "I391", "I350", "I365"], date(2026, 2, 2))
    parts = trained.predictor.contributions(asked.rows, asked.on)
    log_odds = trained.predictor.calibrator(parts.sum(axis=1))
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), asked.probability, rtol=1e-6, atol=1e-9)
    for place in range(len(parts)):
        alone = trained.predictor.contributions(asked.rows[[place]], asked.on[[place]])[0]
        np.testing.assert_allclose(alone, parts[place], rtol=1e-9, atol=1e-12)


def test_calendar_ahead_needs_the_days_of_the_rows(trained: TrainedHazard, rows: TimedSet) -> None:
    assert trained.predictor is not None
    with pytest.raises(ValueError, match="local days"):
        trained.predictor.predict_table(rows.rows.slice(0, 1))


def test_configured_lines_reach_the_task() -> None:
    task = TASK.as_configured({}, CollectionSection(late_days=3, very_late_days=60))
    assert task.lines == NextLine(late_days=3, very_late_days=60)
