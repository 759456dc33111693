"""What an open invoice's answer says beside the probability: on time or late, when, and how much money comes when.

All figures speak of what is still open: the amount less what is allocated to the invoice. Money of the customer that
nobody has allocated is stated beside it and spread over nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.details import Asked
from models.encoding import Value
from models.hazard_bundle import HazardPredictor
from models.headline import AGE, PAST_DUE, NextLine
from models.scorer import Days
from models.survival import Incidence

Floats: TypeAlias = npt.NDArray[np.float64]

N_WEEKS = 13
MOST_DAYS = 365
_DAY = np.timedelta64(1, "D")
_NO_DUE_DAY = ("due_on", "no due day is on record: 30 days after issue are taken", "无到期日记录：按开票后30天计算")
_NOT_IN_A_YEAR = ("expected_pay_on", "not expected to be paid within a year", "预计一年内不会付清")
_NOT_REACHED = (
    "expected_pay_on",
    "the record is too young to say when more than half of its like are paid",
    "历史记录太短，无法判断付款日",
)
_NO_AMOUNT = ("open_amount", "the amount of the invoice is not known", "发票金额未知")
_NO_CURVE = ("p_on_time", "the model in use knows no days of payment", "当前模型不含付款日分布")


def collection_details(asked: Asked) -> list[dict[str, object]]:
    """What is expected of each open invoice, same order.

    Parameters
    ----------
    asked : Asked
        Rows that were scored.

    Returns
    -------
    list of dict
        `event` (`late`, `very_late` or `unpaid`) and `horizon_days` of the probability; `due_on`, `days_past_due`;
        `p_on_time`, `p_late`, `p_very_late`, which sum to 1; `expected_pay_on`, by which it is as likely as not to be
        paid; `open_amount`; `unallocated_amount` of the customer; `expected_cash_by_week` (13 weeks from the Monday
        on or before the row's day, `{week_on, amount}`) and `expected_cash_later` within a year; `missing`, one
        `{figure, text_en, text_zh}` for each figure that is not known.
    """
    scorer = asked.scorer
    if not isinstance(scorer, HazardPredictor) or scorer.lines is None:
        return [_unknown(values) for values in asked.values]
    age, past_due = _column(asked, AGE), _column(asked, PAST_DUE)
    incidence = scorer.incidence_rows(asked.rows, asked.on)
    open_amount = np.array([_open_amount(values) for values in asked.values])
    chances = line_chances(scorer.lines, incidence, age, past_due)
    median = np.ceil(incidence.median())
    weeks = first_weeks(asked.on)
    cash = cash_by_week(incidence, open_amount, asked.on, weeks)
    later = open_amount * incidence.by(float(MOST_DAYS)) - cash.sum(axis=1)
    events = scorer.lines.events(age, past_due).tolist()
    horizons = scorer.lines.horizons(age, past_due).tolist()
    found = []
    for row, values in enumerate(asked.values):
        on: date = asked.on[row].item()
        missing = [_NO_DUE_DAY] if math.isnan(past_due[row]) else []
        expected_on = None
        if median[row] <= MOST_DAYS:
            expected_on = (on + timedelta(days=max(int(median[row]) - 1, 0))).isoformat()
        else:
            missing.append(_NOT_IN_A_YEAR if incidence.grid.end >= MOST_DAYS else _NOT_REACHED)
        if math.isnan(open_amount[row]):
            missing.append(_NO_AMOUNT)
        on_time, late, very_late = (float(chance[row]) for chance in chances)
        found.append(
            {
                "event": events[row],
                "horizon_days": int(horizons[row]),
                "due_on": _due_on(on, past_due[row]),
                "days_past_due": _whole(past_due[row]),
                "p_on_time": on_time,
                "p_late": late,
                "p_very_late": very_late,
                "expected_pay_on": expected_on,
                "open_amount": _money(open_amount[row]),
                "unallocated_amount": _number(values, "unallocated_receipts"),
                "expected_cash_by_week": _weeks(weeks[row], cash[row]),
                "expected_cash_later": _money(later[row]),
                "missing": _reasons(missing),
            }
        )
    return found


def line_chances(lines: NextLine, incidence: Incidence, age: Floats, past_due: Floats) -> tuple[Floats, Floats, Floats]:
    """Chances that each row is paid on time, late and very late or never, each of shape (n_rows,); they sum to 1."""
    on_time = incidence.by(np.maximum(lines.to_late(age, past_due), 0.0))
    soon = incidence.by(np.maximum(lines.to_very_late(age, past_due), 0.0))
    return on_time, soon - on_time, 1.0 - soon


def first_weeks(on: Days) -> Days:
    """The Mondays of the weeks from each row's day on, shape (n_rows, 13)."""
    monday = on - ((on.astype(np.int64) + 3) % 7) * _DAY
    return np.asarray(monday[:, None] + 7 * _DAY * np.arange(N_WEEKS))


def cash_by_week(incidence: Incidence, amount: Floats, on: Days, weeks: Days) -> Floats:
    """Money expected in each week, shape (n_rows, n_weeks), in the unit of `amount`.

    Parameters
    ----------
    incidence : Incidence
        When each row will be paid, in days after its moment.
    amount : ndarray of float64, shape (n_rows,)
        What is still open of each.
    on : ndarray of datetime64[D], shape (n_rows,)
        The rows' local days.
    weeks : ndarray of datetime64[D], shape (n_rows, n_weeks) or (n_weeks,)
        First days of weeks that follow each other.
    """
    first = np.broadcast_to(weeks, (len(on), weeks.shape[-1]))
    edges = np.column_stack([first, first[:, -1] + 7 * _DAY])
    days = np.maximum((edges - on[:, None]) / _DAY, 0.0)
    paid_by = np.column_stack([incidence.by(days[:, place]) for place in range(days.shape[1])])
    return np.asarray(amount[:, None] * np.diff(paid_by, axis=1))


def _unknown(values: Mapping[str, Value]) -> dict[str, object]:
    return {
        "event": None,
        "horizon_days": None,
        "due_on": None,
        "days_past_due": _whole(_nan(values, PAST_DUE)),
        "p_on_time": None,
        "p_late": None,
        "p_very_late": None,
        "expected_pay_on": None,
        "open_amount": _money(_open_amount(values)),
        "unallocated_amount": _number(values, "unallocated_receipts"),
        "expected_cash_by_week": [],
        "expected_cash_later": None,
        "missing": _reasons([_NO_CURVE]),
    }


def _column(asked: Asked, name: str) -> Floats:
    return np.array([_nan(values, name) for values in asked.values], dtype=np.float64)


def _nan(values: Mapping[str, Value], name: str) -> float:
    value = values.get(name)
    return math.nan if value is None or isinstance(value, str) else float(value)


def _number(values: Mapping[str, Value], name: str) -> float | None:
    return _money(_nan(values, name))


def _open_amount(values: Mapping[str, Value]) -> float:
    """The amount less what is allocated to it; NaN when the amount is not known."""
    paid = _nan(values, "paid_so_far")
    return max(_nan(values, "gross_amount") - (0.0 if math.isnan(paid) else paid), 0.0)


def _money(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 2)


def _whole(value: float) -> int | None:
    return None if math.isnan(value) else int(value)


def _due_on(on: date, past_due: float) -> str | None:
    return None if math.isnan(past_due) else (on - timedelta(days=int(past_due))).isoformat()


def _weeks(weeks: Days, cash: Floats) -> list[dict[str, object]]:
    return [
        {"week_on": str(week), "amount": _money(amount)}
        for week, amount in zip(weeks.astype("datetime64[D]").tolist(), cash.tolist(), strict=True)
    ]


def _reasons(missing: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"figure": figure, "text_en": english, "text_zh": chinese} for figure, english, chinese in missing]
