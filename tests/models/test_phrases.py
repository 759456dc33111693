"""Sentences of reasons as a director reads them."""

from __future__ import annotations

import pytest

from features.catalogue import FIELDS
from features.matrix import Field
from models.encoding import Value
from models.phrases import write_reason

FIELD: dict[str, Field] = {field.name: field for fields in FIELDS.values() for field in fields}


@pytest.mark.parametrize(
    ("name", "value", "english", "chinese"),
    [
        ("employees", 800.0, "employees of the company: 800 people (+1.0 points)", "企业员工数：800 人（+1.0 分）"),
        (
            "days_since_activity",
            1.0,
            "days since the last contact: 1 day (+1.0 points)",
            "距上次联系天数：1 天（+1.0 分）",
        ),
        (
            "days_since_activity",
            0.26,
            "days since the last contact: 0.3 days (+1.0 points)",
            "距上次联系天数：0.3 天（+1.0 分）",
        ),
        (
            "days_since_activity",
            33.26,
            "days since the last contact: 33 days (+1.0 points)",
            "距上次联系天数：33 天（+1.0 分）",
        ),
        (
            "days_since_meeting",
            None,
            "days since the last meeting: no meeting yet (+1.0 points)",
            "距上次会面天数：尚未会面（+1.0 分）",
        ),
        ("month_of_year", 3.0, "month: March (+1.0 points)", "月份：3月（+1.0 分）"),
        ("weekday", 7.0, "weekday: Sunday (+1.0 points)", "星期：周日（+1.0 分）"),
        (
            "share_of_inbound",
            0.25,
            "share of contacts that the customer began: 25 % (+1.0 points)",
            "客户主动联系占比：25%（+1.0 分）",
        ),
        (
            "last_activity_kind",
            "call",
            "kind of the last contact: call (+1.0 points)",
            "最近一次联系方式：电话（+1.0 分）",
        ),
        (
            "trend_of_activities_30d",
            -1 / 3,
            "change of pace against the 30 days before: 0.5 times as many (+1.0 points)",
            "联系频率变化（对比前30天）：为此前的 0.5 倍（+1.0 分）",
        ),
        (
            "trend_of_activities_30d",
            -1.0,
            "change of pace against the 30 days before: none now (+1.0 points)",
            "联系频率变化（对比前30天）：近期没有（+1.0 分）",
        ),
    ],
)
def test_reason_reads_well_in_both_languages(name: str, value: Value, english: str, chinese: str) -> None:
    assert write_reason(FIELD[name], value, 1.0) == (english, chinese)
