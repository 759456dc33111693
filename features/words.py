"""Units and null meanings of the catalogue in both languages, for people who read reasons."""

from __future__ import annotations

# Unit as fields state it -> one of them, several of them, and Chinese; money and scales have no word of their own.
UNITS: dict[str, tuple[str, str, str]] = {
    "days": ("day", "days", "天"),
    "hours": ("hour", "hours", "小时"),
    "minutes": ("minute", "minutes", "分钟"),
    "people": ("person", "people", "人"),
    "contacts": ("contact", "contacts", "次"),
    "kinds": ("kind", "kinds", "种"),
    "changes": ("change", "changes", "次"),
    "leads": ("lead", "leads", "条"),
    "opportunities": ("opportunity", "opportunities", "个"),
    "orders": ("order", "orders", "单"),
    "order lines": ("order line", "order lines", "行"),
    "invoices": ("invoice", "invoices", "张"),
    "tickets": ("ticket", "tickets", "张"),
    "points": ("point", "points", "分"),
    "rows": ("row", "rows", "行"),
}
# Units that a number is not followed by: it is written another way, or the phrase says them.
WRITTEN_OTHERWISE = frozenset(
    {"", "share", "-1 to 1", "1 to 12", "1 to 7", "currency", "currency, net", "currency, gross"}
)

NULLS_ZH: dict[str, str] = {
    "unknown": "未知",
    "not filled in": "未填写",
    "activities are not recorded": "没有联系记录",
    "changes are not recorded": "没有变更记录",
    "never changed": "从未变更",
    "never ordered": "从未下单",
    "never stated": "从未评价",
    "no account": "没有关联客户",
    "no contact in 60 days": "60天内没有联系",
    "no contact yet": "尚无联系",
    "no expected day": "没有预计成交日",
    "no lead in 180 days": "180天内没有线索",
    "no meeting yet": "尚未会面",
    "no opportunity in a year": "一年内没有商机",
    "no owner": "没有负责人",
    "no channel": "没有来源渠道",
    "no campaign": "没有营销活动",
    "no stated outcome yet": "尚无联系结果",
    "no tender": "没有招标",
    "no timed contact": "没有计时的联系",
    "nobody reached out yet": "尚未跟进",
    "nothing received": "尚无回款",
    "the lead never reached out": "客户从未主动联系",
    "the customer never reached out": "客户从未主动联系",
}
WEEKDAYS: tuple[tuple[str, str], ...] = (
    ("Monday", "周一"),
    ("Tuesday", "周二"),
    ("Wednesday", "周三"),
    ("Thursday", "周四"),
    ("Friday", "周五"),
    ("Saturday", "周六"),
    ("Sunday", "周日"),
)
MONTHS: tuple[str, ...] = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

# Values of the record's closed lists; what a company writes itself is shown as it wrote it.
VALUES_ZH: dict[str, str] = {
    "call": "电话",
    "email": "邮件",
    "meeting": "会面",
    "demo": "演示",
    "visit": "拜访",
    "web": "网站",
    "collection": "催收",
    "other": "其他",
    "inbound": "客户主动",
    "outbound": "我方主动",
    "enterprise": "大型企业",
    "government": "政府",
    "state_owned": "国有企业",
    "small": "小型企业",
    "consumer": "个人",
    "pipeline": "跟进中",
    "best_case": "乐观",
    "commit": "承诺",
    "closed": "已成交",
    "omitted": "不计入",
}
