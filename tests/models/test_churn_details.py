"""What churn and renewal risk answer beside the probability."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from models.churn_details import churn_details, renewal_details
from models.details import Asked
from models.encoding import Value
from models.scorer import Scorer

ON = np.datetime64("2026-03-01", "D")


def answer(
    details: Callable[[Asked], list[dict[str, object]]], p: float, *, event: str = "lost", **values: Value
) -> dict[str, object]:
    asked = Asked(
        scorer=cast("Scorer", SimpleNamespace(about=SimpleNamespace(event=event))),
        rows=np.empty((1, 0)),
        values=[values],
        on=np.array([ON]),
        probability=np.array([p]),
    )
    found = details(asked)
    assert len(found) == 1
    return found[0]


def test_a_covered_customer_is_lost_when_its_cover_ends_and_takes_a_years_orders_with_it() -> None:
    found = answer(churn_details, 0.4, order_money_365d=1000.0, receipts_365d=9.0, days_covered=20.0)
    assert found == {
        "value_at_risk": 400.0,
        "annual_value": 1000.0,
        "when": "2026-03-21",
        "loss_kind": "not_renewed",
    }


def test_a_customer_without_cover_lapses_from_the_day_on_which_its_next_purchase_is_due() -> None:
    found = answer(churn_details, 0.5, days_covered=None, days_since_purchase=10.0, usual_gap_days=30.0)
    assert found["when"] == "2026-03-21"
    assert found["loss_kind"] == "lapse"
    overdue = answer(churn_details, 0.5, days_covered=-200.0, days_since_purchase=400.0, usual_gap_days=30.0)
    assert overdue["when"] == "2026-03-01"


def test_what_the_record_does_not_say_is_null_under_the_same_keys() -> None:
    empty = answer(churn_details, 0.5)
    assert empty == {"value_at_risk": None, "annual_value": None, "when": None, "loss_kind": "lapse"}
    nothing = answer(renewal_details, 0.5)
    assert {name for name, value in nothing.items() if value is None} == {
        "value_at_risk",
        "annual_value",
        "when",
        "days_to_end",
        "p_down_sell",
    }


def test_a_longer_agreement_is_worth_a_years_share_of_its_amount_and_a_shorter_one_its_amount() -> None:
    long = answer(renewal_details, 0.1, net_amount=730.0, agreement_age_days=669.0, days_past_end=-60.0)
    assert long["annual_value"] == pytest.approx(365.0)
    assert (long["days_to_end"], long["when"]) == (60, "2026-04-30")
    short = answer(renewal_details, 0.1, net_amount=730.0, agreement_age_days=40.0, days_past_end=-60.0)
    assert (short["annual_value"], short["value_at_risk"]) == (730.0, 73.0)


def test_a_down_sell_is_a_part_of_the_probability_and_takes_only_a_part_of_the_money() -> None:
    of_kind: dict[str, Value] = {"reduced_share_of_kind": 0.3, "share_cut_of_kind": 0.5}
    found = answer(renewal_details, 0.5, net_amount=100.0, **of_kind)
    assert found["p_down_sell"] == pytest.approx(0.15)
    assert found["value_at_risk"] == pytest.approx(35.0 + 7.5)
    assert found["loss_kind"] == "not_renewed"
    mostly = answer(renewal_details, 0.5, net_amount=100.0, **(of_kind | {"reduced_share_of_kind": 0.6}))
    assert mostly["loss_kind"] == "down_sell"


def test_a_model_of_cancellations_knows_of_no_down_sell() -> None:
    found = answer(renewal_details, 0.5, event="agreement cancelled", reduced_share_of_kind=0.5)
    assert (found["p_down_sell"], found["loss_kind"]) == (None, "cancelled")
    assert answer(churn_details, 0.5, event="agreement cancelled")["loss_kind"] == "cancelled"
