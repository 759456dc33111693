"""Values that are overwritten elsewhere are known from the first change on record on, and not before."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from features.catalogue import group_named
from features.first_seen import NOT_SEEN, forget_unseen, unseen_rows
from features.matrix import Field, Kind, TrainingSet

GROUPS = [
    group_named(name)
    for name in ("opportunity_profile", "opportunity_changes", "opportunity_activity", "opportunity_account")
]
MOMENTS = np.array(["2026-01-05", "2026-02-02", "2026-03-02"], dtype="datetime64[us]")
FEBRUARY = np.datetime64("2026-02-01", "us")


def test_without_a_change_on_record_the_entitys_own_values_were_never_seen() -> None:
    unseen = unseen_rows({}, GROUPS, MOMENTS)
    assert {"stage", "days_in_stage", "net_amount", "n_stage_changes", "days_since_change"} <= set(unseen)
    assert all(mask.all() for mask in unseen.values())
    # Contacts, the moment of creation and the account are on record as they were.
    assert not {"n_activities_30d", "opportunity_age_days", "account_industry"} & set(unseen)


def test_from_its_first_change_on_a_table_is_watched() -> None:
    begins = {("opportunities", "stage"): FEBRUARY, ("opportunities", ""): FEBRUARY}
    unseen = unseen_rows(begins, GROUPS, MOMENTS)
    assert unseen["stage"].tolist() == [True, False, False]
    assert unseen["net_amount"].tolist() == [True, False, False]
    assert unseen["n_stage_changes"].tolist() == [True, False, False]
    assert unseen_rows({("opportunities", ""): MOMENTS[0]}, GROUPS, MOMENTS) == {}


def test_a_company_that_keeps_the_history_of_other_tables_is_believed_of_this_one() -> None:
    assert unseen_rows({("invoices", ""): FEBRUARY, ("invoices", "due_on"): FEBRUARY}, GROUPS, MOMENTS) == {}


def test_what_was_not_seen_is_emptied_row_by_row_and_a_field_left_empty_is_named() -> None:
    n = len(MOMENTS)
    rows = TrainingSet(
        fields=(
            Field(name="stage", kind=Kind.CATEGORY),
            Field(name="net_amount", kind=Kind.NUMBER),
            Field(name="n_activities_30d", kind=Kind.NUMBER),
        ),
        rows=pa.table(
            {"stage": ["won", "offer", "offer"], "net_amount": [1.0, 2.0, 3.0], "n_activities_30d": [4.0] * 3}
        ),
        entity_id=np.array(["a", "b", "c"]),
        as_of=MOMENTS,
        position=np.arange(n, dtype=float),
        label=np.zeros(n),
        group=np.array(["a", "b", "c"]),
        value=np.full(n, np.nan),
        event="won",
        horizon_days=91,
        gap_days=0,
    )
    unseen = {"stage": np.array([True, False, False]), "net_amount": np.ones(3, dtype=bool)}
    kept = forget_unseen(rows, unseen)
    assert kept.rows.column("stage").to_pylist() == [None, "offer", "offer"]
    assert [field.name for field in kept.fields] == ["stage", "n_activities_30d"]
    assert {(left.column, left.reason) for left in kept.left_out} == {("net_amount", NOT_SEEN)}
    assert rows.rows.column("stage").to_pylist() == ["won", "offer", "offer"]
