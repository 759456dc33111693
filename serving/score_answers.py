"""The form of answers by task: the fields of every task, and those of its own beside them."""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from serving.next_product_schemas import NextProductRow
from serving.schemas import EXAMPLE_ROW, Answer, ScoreRow, told

_DEAL: JsonDict = {
    **EXAMPLE_ROW,
    "entity_id": "O-310",
    "event": "won",
    "horizon_days": 91,
    "p_won_by": {"30": 0.21, "60": 0.48, "91": 0.63, "182": 0.7},
    "p_lost_by": {"30": 0.05, "60": 0.12, "91": 0.19, "182": 0.26},
    "expected_close_on": "2026-05-22",
    "slip_risk": 0.34,
    "amount_ratio": 0.93,
    "expected_value": 105400.0,
}
_CUSTOMER: JsonDict = {
    **EXAMPLE_ROW,
    "entity_id": "C-77",
    "event": "customer left: nothing renewed, nothing bought",
    "value_at_risk": 48200.0,
    "annual_value": 76400.0,
    "when": "2026-05-20",
    "loss_kind": "lapse",
    "days_to_end": None,
    "p_down_sell": None,
}
_AGREEMENT: JsonDict = {
    **_CUSTOMER,
    "entity_id": "G-12",
    "event": "agreement lost or renewed for less",
    "horizon_days": 151,
    "when": "2026-06-30",
    "loss_kind": "loss",
    "days_to_end": 91.0,
    "p_down_sell": 0.08,
}
_INVOICE: JsonDict = {
    **EXAMPLE_ROW,
    "entity_id": "I-9001",
    "event": "late",
    "horizon_days": 14,
    "p_on_time": 0.37,
    "p_late": 0.55,
    "p_very_late": 0.08,
    "expected_pay_on": "2026-04-22",
    "open_amount": 40000.0,
    "expected_cash_by_week": {"2026-04-13": 9200.0, "2026-04-20": 17800.0},
    "due_on": "2026-04-14",
    "days_past_due": -14.0,
}


class OpportunityRow(ScoreRow):
    """One answered opportunity."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DEAL]})

    p_won_by: dict[str, float | None] | None = told(
        "Probability, 0 to 1, that it is won within so many days after `as_of`, by the number of days; null beyond "
        "what the record teaches.",
        "as_of 之后若干天内赢单的概率（0–1），以天数为键；超出可知范围时为 null。",
    )
    p_lost_by: dict[str, float | None] | None = told(
        "Probability, 0 to 1, that it is lost within so many days after `as_of`, by the number of days.",
        "as_of 之后若干天内输单的概率（0–1），以天数为键。",
    )
    expected_close_on: date | None = told(
        "The day by which half of its chance to be won has passed; null when that lies beyond what is known.",
        "预计成交日：到该日赢单可能性已过半；超出可知范围时为 null。",
    )
    slip_risk: float | None = told(
        "Probability, 0 to 1, that it is still open after the day on which its owner expects to close it.",
        "到负责人预计成交日仍未关闭的概率（0–1）。",
    )
    amount_ratio: float | None = told(
        "Expected amount at the win over the present amount.", "预计成交金额与当前金额之比。"
    )
    expected_value: float | None = told(
        "Probability times expected amount, net, in currency units.", "期望金额（不含税）：概率乘以预计成交金额。"
    )


class _LossRow(ScoreRow):
    value_at_risk: float | None = told(
        "Probability times the value of a year, net, in currency units.", "风险金额（不含税）：概率乘以年度金额。"
    )
    annual_value: float | None = told("The value of a year, net, in currency units.", "年度金额（不含税）。")
    when: str | None = told("When the loss is expected.", "预计流失时间。")
    loss_kind: str | None = told("Which kind of loss is meant.", "流失类型。")
    days_to_end: float | None = told(
        "Days to the last day of the agreement; null where there is none.", "距合同到期天数；无到期日时为 null。"
    )
    p_down_sell: float | None = told(
        "Probability, 0 to 1, that it is renewed for less; null where that is not asked.",
        "降额续签的概率（0–1）；不适用时为 null。",
    )


class AccountRow(_LossRow):
    """One answered account."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CUSTOMER]})


class AgreementRow(_LossRow):
    """One answered agreement."""

    model_config = ConfigDict(json_schema_extra={"examples": [_AGREEMENT]})


class InvoiceRow(ScoreRow):
    """One answered invoice."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INVOICE]})

    p_on_time: float | None = told("Probability, 0 to 1, that it is paid by its due day.", "按期回款的概率（0–1）。")
    p_late: float | None = told(
        "Probability, 0 to 1, that it is paid late, but not very late.", "逾期（未达严重逾期）回款的概率（0–1）。"
    )
    p_very_late: float | None = told(
        "Probability, 0 to 1, that it is paid very late or never.", "严重逾期或不回款的概率（0–1）。"
    )
    expected_pay_on: date | None = told(
        "The day by which it is as likely as not to be paid; null when that lies beyond what is known.",
        "预计到账日：到该日到账与否的可能性各半；超出可知范围时为 null。",
    )
    open_amount: float | None = told("What is not paid yet, gross, in currency units.", "未回款金额（含税）。")
    expected_cash_by_week: dict[str, float] | None = told(
        "Money expected in each week, gross, in currency units, by the week's first day.",
        "各周预计到账金额（含税），以周首日为键。",
    )
    due_on: date | None = told("The day on which it falls due.", "到期日。")
    days_past_due: float | None = told("Days past due, negative before.", "逾期天数（未到期为负）。")


class _TaskAnswer(Answer):
    task: str = Field(description="The task that answered.")


class LeadAnswer(_TaskAnswer):
    """The answer about leads."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "lead_score", "rows": [EXAMPLE_ROW]}]})

    rows: list[ScoreRow] = Field(description="One row an id or record, in the order of the request.")


class OpportunityAnswer(_TaskAnswer):
    """The answer about opportunities."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "win_probability", "rows": [_DEAL]}]})

    rows: list[OpportunityRow] = Field(description="One row an id or record, in the order of the request.")


class AccountAnswer(_TaskAnswer):
    """The answer about accounts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "churn_risk", "rows": [_CUSTOMER]}]})

    rows: list[AccountRow] = Field(description="One row an id or record, in the order of the request.")


class AgreementAnswer(_TaskAnswer):
    """The answer about agreements."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "renewal_risk", "rows": [_AGREEMENT]}]})

    rows: list[AgreementRow] = Field(description="One row an id or record, in the order of the request.")


class InvoiceAnswer(_TaskAnswer):
    """The answer about invoices."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "collection_risk", "rows": [_INVOICE]}]})

    rows: list[InvoiceRow] = Field(description="One row an id or record, in the order of the request.")


AnyRow: TypeAlias = ScoreRow | OpportunityRow | AgreementRow | InvoiceRow | NextProductRow
"""A row of any task, as it was kept."""
ROW_OF: dict[str, type[ScoreRow]] = {
    "leads": ScoreRow,
    "opportunities": OpportunityRow,
    "accounts": AccountRow,
    "agreements": AgreementRow,
    "invoices": InvoiceRow,
}
"""The form of a row by entity."""


def own_fields(entity: str) -> tuple[str, ...]:
    """The fields that answers about an entity have beside those of every task.

    Examples
    --------
    >>> own_fields("leads")
    ()
    """
    return tuple(name for name in ROW_OF[entity].model_fields if name not in ScoreRow.model_fields)
