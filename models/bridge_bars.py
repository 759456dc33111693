"""The bars of the bridge between two forecasts, in the order in which they are shown, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Bar(StrEnum):
    """Why a forecast moved."""

    NEW = "new"
    WON = "won"
    LOST = "lost"
    PUSHED = "pushed"
    PULLED = "pulled"
    AMOUNT = "amount"
    OWNER = "owner"
    ACTIVITY = "activity"
    TIME = "time"
    RENEWALS = "renewals"
    NEW_PIPELINE = "new_pipeline"
    RUN_RATE = "run_rate"
    RECORD_CORRECTION = "record_correction"
    MODEL = "model"
    EXCHANGE_RATE = "exchange_rate"
    INTERACTION = "interaction"


# English and Chinese.
BAR_TEXTS: Mapping[Bar, tuple[str, str]] = {
    Bar.NEW: ("Deals created since", "期间新建商机"),
    Bar.WON: ("Deals won or signed since", "期间赢单或签约"),
    Bar.LOST: ("Deals lost since", "期间丢单"),
    Bar.PUSHED: ("Promised dates moved later", "预计成交日推迟"),
    Bar.PULLED: ("Promised dates moved earlier", "预计成交日提前"),
    Bar.AMOUNT: ("Amounts of open deals changed", "在途商机金额变化"),
    Bar.OWNER: ("Deals and customers changed hands", "商机或客户变更归属"),
    Bar.ACTIVITY: ("Stages and forecast categories moved", "阶段与预测类别变动"),
    Bar.TIME: ("Time passed", "时间推移"),
    Bar.RENEWALS: ("Renewals signed, cancelled or now due", "续约签订、终止或到期"),
    Bar.NEW_PIPELINE: ("Level of pipeline not created yet", "尚未产生的商机水平"),
    Bar.RUN_RATE: ("Agreements that never were deals", "非商机来源的合同"),
    Bar.RECORD_CORRECTION: ("Corrections of the record", "历史数据更正"),
    Bar.MODEL: ("Model learned anew", "模型更新"),
    Bar.EXCHANGE_RATE: ("Exchange rates", "汇率变动"),
    Bar.INTERACTION: ("Interaction of the causes above", "以上因素的交互作用"),
}
