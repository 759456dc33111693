"""The form of answers about what words of open deals are worth."""

from __future__ import annotations

from datetime import date

from pydantic import ConfigDict
from pydantic.config import JsonDict

from serving.schemas import Answer, told

_STEPS: JsonDict = {
    "words": 3766934.0,
    "day": -986418.0,
    "outcome": -317955.0,
    "amount": -462614.0,
    "corrected": 1999947.0,
}
_REP: JsonDict = {
    "rep_id": "R48",
    "n_open": 8,
    "n_stale": 1,
    "amount_factor": 0.87,
    "win_factor": 0.9,
    "loss_factor": 1.06,
    "slip_days": 12.5,
    **_STEPS,
}
_DEAL: JsonDict = {
    "opportunity_id": "O-204",
    "rep_id": "R48",
    "promised_on": "2026-07-15",
    "pushes": 3,
    "is_stale": True,
    **_STEPS,
}


class StepsAnswer(Answer):
    """From words to what is expected, in units of the currency."""

    words: float = told("What is promised for the period, at the peers' chance of winning.", "口头承诺值。")
    day: float = told("What the promised days are wrong by: stale and pushed ones.", "预计成交日的修正。")
    outcome: float = told("What the rep wins more or less often than the peers.", "赢单习惯的修正。")
    amount: float = told("What amounts become until they are signed.", "金额习惯的修正。")
    corrected: float = told("What the forecast expects of it.", "修正后的预期值。")


class RepWordsAnswer(StepsAnswer):
    """A salesperson."""

    rep_id: str = told("Whose it is.", "负责人。")
    n_open: int = told("Open deals.", "在途商机数。")
    n_stale: int = told("Open deals whose promise has passed or was pushed again and again.", "失效承诺的商机数。")
    amount_factor: float = told("Final over named amounts against the peers', shrunk.", "金额系数（相对同行）。")
    win_factor: float = told("Wins against the peers', shrunk.", "赢单系数（相对同行）。")
    loss_factor: float = told("Losses against the peers', shrunk.", "丢单系数（相对同行）。")
    slip_days: float = told("Days by which wins came after the promised day, shrunk.", "平均延期天数。")


class DealWordsAnswer(StepsAnswer):
    """An open deal."""

    opportunity_id: str = told("The opportunity.", "商机编号。")
    rep_id: str | None = told("Whose it is.", "负责人。")
    promised_on: date | None = told("The promised day.", "承诺成交日。")
    pushes: int = told("How often the promised day was moved later.", "推迟次数。")
    is_stale: bool = told("The promised day has passed, or was pushed again and again.", "承诺是否失效。")


class HygieneAnswer(Answer):
    """What words are worth, of the salespeople and deals that the caller may see."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-07-01",
                    "period": "quarter",
                    "month": "2026-07-01",
                    "currency": "CNY",
                    "is_corrected": True,
                    "total": _STEPS,
                    "reps": [_REP],
                    "n_deals": 1,
                    "deals": [_DEAL],
                }
            ]
        }
    )

    as_of: date = told("As known on the morning of this day.", "以该日清晨所知为准。")
    period: str = told("month, quarter or year.", "月、季或年。")
    month: date = told("Its first month, or the month itself.", "首月或当月。")
    currency: str = told("Of all amounts.", "金额币种。")
    is_corrected: bool = told(
        "Whether the forecast corrects by salesperson (`company.corrects_reps`).", "预测是否按个人习惯修正。"
    )
    total: StepsAnswer = told("All that the caller may see, together.", "有权查看部分的合计。")
    reps: list[RepWordsAnswer] = told(
        "Salespeople that the caller may see, who lose most by the correction first.", "有权查看的销售人员。"
    )
    n_deals: int = told("Open deals that the caller may see.", "有权查看的在途商机数。")
    deals: list[DealWordsAnswer] = told("Those that lose most by the correction first.", "按修正额由低到高排列。")
