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
    "event": "no purchase within the window",
    "value_at_risk": 48200.0,
    "annual_value": 76400.0,
    "when": "2026-05-20",
    "loss_kind": "lapse",
}
_AGREEMENT: JsonDict = {
    **_CUSTOMER,
    "entity_id": "G-12",
    "event": "agreement lost or renewed for less",
    "horizon_days": 151,
    "when": "2026-06-30",
    "loss_kind": "not_renewed",
    "days_to_end": 91,
    "p_down_sell": 0.08,
}
_INVOICE: JsonDict = {
    **EXAMPLE_ROW,
    "entity_id": "I-9001",
    "event": "late",
    "horizon_days": 14,
    "due_on": "2026-04-14",
    "days_past_due": -14,
    "p_on_time": 0.37,
    "p_late": 0.55,
    "p_very_late": 0.08,
    "expected_pay_on": "2026-04-22",
    "open_amount": 40000.0,
    "unallocated_amount": 1500.0,
    "expected_cash_by_week": [{"week_on": "2026-03-30", "amount": 2100.0}, {"week_on": "2026-04-06", "amount": 4300.0}],
    "expected_cash_later": 900.0,
    "missing": [],
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


class AccountRow(ScoreRow):
    """One answered account."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CUSTOMER]})

    value_at_risk: float | None = told(
        "Expected loss, in currency units: the probability times the value of a year.",
        "风险金额：概率乘以年度金额。",
    )
    annual_value: float | None = told("The value of a year, in currency units.", "年度金额。")
    when: date | None = told("The day by which it is decided.", "预计流失日期。")
    loss_kind: str | None = told(
        "Which loss is meant: not_renewed, lapse, down_sell or cancelled.",
        "流失类型：not_renewed 到期未续、lapse 不再购买、down_sell 降额、cancelled 取消。",
    )


class AgreementRow(AccountRow):
    """One answered agreement."""

    model_config = ConfigDict(json_schema_extra={"examples": [_AGREEMENT]})

    days_to_end: int | None = told("Days to the last day of the agreement.", "距合同到期天数。")
    p_down_sell: float | None = told(
        "The part of the probability, 0 to 1, that it is renewed for less instead of not at all.",
        "其中降额续签的概率（0–1）。",
    )


class WeekOfCash(Answer):
    """Money expected in one week."""

    week_on: date = told("The week's Monday.", "该周周一。")
    amount: float | None = told("Money expected in it, gross, in currency units.", "该周预计到账金额（含税）。")


class MissingFigure(Answer):
    """A figure that is not known, or not as it should be."""

    figure: str = told("Name of the field.", "字段名。")
    text_en: str = told("Why, in English.", "英文说明。")
    text_zh: str = told("Why, in Chinese.", "中文说明。")


class InvoiceRow(ScoreRow):
    """One answered invoice; `event` is the next line it may cross unpaid: late, very_late or unpaid (30 more days)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INVOICE]})

    due_on: date | None = told("The day on which it falls due.", "到期日。")
    days_past_due: int | None = told("Days past due, negative before.", "逾期天数（未到期为负）。")
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
    unallocated_amount: float | None = told(
        "Money of the customer that is on no invoice yet, gross, in currency units.", "客户已到账未核销金额（含税）。"
    )
    expected_cash_by_week: list[WeekOfCash] | None = told(
        "What of the open amount is expected in each of 13 weeks.", "未来13周各周预计到账金额。"
    )
    expected_cash_later: float | None = told(
        "What of it is expected later within a year, in currency units.", "其后一年内预计到账金额。"
    )
    missing: list[MissingFigure] | None = told("Figures that are not known, each with the reason.", "未知指标及原因。")


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


AnyRow: TypeAlias = ScoreRow | OpportunityRow | AccountRow | AgreementRow | InvoiceRow | NextProductRow
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
