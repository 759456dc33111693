"""What churn and renewal risk say beside the probability: money at risk, the day it is decided, the kind of loss."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np

from models.details import Asked
from models.encoding import Value

YEAR_DAYS = 365.0
NOT_RENEWED, LAPSE, DOWN_SELL, CANCELLED = "not_renewed", "lapse", "down_sell", "cancelled"
_CANCELLED_EVENT = "agreement cancelled"
# Fields that tell what a customer is worth a year, the best first; receipts are gross.
_YEARLY = ("order_money_365d", "agreement_money_365d", "receipts_365d")
_GAPS = ("expected_gap_days", "usual_gap_days")


def churn_details(asked: Asked) -> list[dict[str, object]]:
    """Of every account: `value_at_risk`, `annual_value`, `when`, `loss_kind`.

    Notes
    -----
    `annual_value` is the money of the last 12 months in currency units: orders, else what was signed, else what was
    received. `value_at_risk` is the expected loss, probability x annual value. `when` is the last day of the
    customer's cover by agreements, else the day on which its next purchase is due by its usual gap (not before the day
    of the answer). Null where the record does not say.
    """
    is_cancelling = asked.scorer.about.event == _CANCELLED_EVENT
    return [
        _churn(values, float(p), on.item(), is_cancelling=is_cancelling)
        for values, p, on in zip(asked.values, asked.probability, asked.on.astype("datetime64[D]"), strict=True)
    ]


def renewal_details(asked: Asked) -> list[dict[str, object]]:
    """Of every agreement: `value_at_risk`, `annual_value`, `when`, `days_to_end`, `p_down_sell`, `loss_kind`.

    Notes
    -----
    `annual_value` is the amount of the agreement over its years. `p_down_sell` is the part of the probability that
    the agreement is renewed for less instead of not at all: the share that down-sells had among the losses of its
    kind so far, drawn to that of all kinds (`crm.customer_history`). It is a rate, not a model of its own.
    `value_at_risk` counts a down-sell by the share of the amount that down-sells of its kind took away so far; where
    none was seen it counts the whole amount.
    """
    is_cancelling = asked.scorer.about.event == _CANCELLED_EVENT
    return [
        _renewal(values, float(p), on.item(), is_cancelling=is_cancelling)
        for values, p, on in zip(asked.values, asked.probability, asked.on.astype("datetime64[D]"), strict=True)
    ]


def _churn(values: Mapping[str, Value], p: float, on: date, *, is_cancelling: bool) -> dict[str, object]:
    yearly = next((money for name in _YEARLY if (money := _number(values, name)) is not None), None)
    covered, since = _number(values, "days_covered"), _number(values, "days_since_purchase")
    gap = next((gap for name in _GAPS if (gap := _number(values, name)) is not None), None)
    when: date | None = None
    if covered is not None and covered >= 0:
        when = on + timedelta(days=round(covered))
    elif since is not None and gap is not None:
        when = on + timedelta(days=max(0, round(gap - since)))
    kind = CANCELLED if is_cancelling else NOT_RENEWED if covered is not None and covered >= 0 else LAPSE
    return {
        "value_at_risk": None if yearly is None else round(p * yearly, 2),
        "annual_value": None if yearly is None else round(yearly, 2),
        "when": None if when is None else when.isoformat(),
        "loss_kind": kind,
    }


def _renewal(values: Mapping[str, Value], p: float, on: date, *, is_cancelling: bool) -> dict[str, object]:
    amount, past, age = (_number(values, name) for name in ("net_amount", "days_past_end", "agreement_age_days"))
    left = None if past is None else -past
    yearly = amount
    if amount is not None and left is not None and age is not None and age + left >= YEAR_DAYS:
        yearly = amount * YEAR_DAYS / (age + left + 1.0)
    reduced, cut = _number(values, "reduced_share_of_kind"), _number(values, "share_cut_of_kind")
    p_down = None if is_cancelling or reduced is None else p * reduced
    at_risk: float | None = None
    if yearly is not None:
        at_risk = p * yearly if p_down is None or cut is None else (p - p_down + p_down * cut) * yearly
    kind = CANCELLED if is_cancelling else DOWN_SELL if p_down is not None and p_down > p / 2 else NOT_RENEWED
    return {
        "value_at_risk": None if at_risk is None else round(at_risk, 2),
        "annual_value": None if yearly is None else round(yearly, 2),
        "when": None if left is None else (on + timedelta(days=round(left))).isoformat(),
        "days_to_end": None if left is None else round(left),
        "p_down_sell": None if p_down is None else round(p_down, 4),
        "loss_kind": kind,
    }


def _number(values: Mapping[str, Value], name: str) -> float | None:
    value = values.get(name)
    if value is None or isinstance(value, str) or not np.isfinite(value):
        return None
    return float(value)
