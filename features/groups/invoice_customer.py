"""How the customer of an open invoice pays: what it settled so far, what it still owes, on which days it pays.

Everything about a settlement comes from `crm.settlements`: an invoice counts as settled from the moment that was
known, so the history of a customer is made of invoices settled before the row's moment and of no others.
"""

from __future__ import annotations

from crm.tables_derived import WEEKDAYS
from features.spec import (
    Attribute,
    Count,
    DaysSince,
    Feature,
    FeatureGroup,
    Last,
    Max,
    Mean,
    Min,
    Ratio,
    Source,
    Sum,
    feature,
    is_in,
    known,
    unknown,
)

_TABLE = "invoices"
CUSTOMER = Source(name="customer_invoices", table="settlements", key="account_id", reach="account_id")
ON_ACCOUNT = Source(name="on_account", table="on_account", key="account_id", reach="account_id")
_OPEN = unknown("closed_at")
_LATE = is_in("timing", "late")
_NO_HISTORY = "nothing settled yet"


def at_issue(column: str, unit: str, en: str, zh: str, null: str = _NO_HISTORY) -> Feature:
    """A feature that stays what it was when the invoice became known."""
    value = Attribute(column=column, table="settlements", reach="invoice_id")
    return feature(column, value, unit=unit, null=null, group="history", en=en, zh=zh)


def _customer(
    name: str,
    primitive: Count | Mean | Max | Min | Last | Sum | DaysSince | Ratio,
    unit: str,
    en: str,
    zh: str,
    null: str,
) -> Feature:
    return feature(name, primitive, unit=unit, null=null, group="history", en=en, zh=zh)


INVOICE_CUSTOMER = FeatureGroup(
    name="invoice_customer",
    entity=_TABLE,
    doc="How the customer paid the invoices settled so far, and what it still owes.",
    features=(
        _customer(
            "n_settled",
            Count(source=CUSTOMER, where=(known("settled_on"),)),
            "invoices",
            "invoices the customer has settled",
            "客户已结清发票数",
            "no customer",
        ),
        _customer(
            "own_late_share",
            Ratio(upper=Count(source=CUSTOMER, where=(_LATE,)), lower=Count(source=CUSTOMER, where=(known("timing"),))),
            "share",
            "share of its settled invoices that were late",
            "客户已结清发票逾期占比",
            _NO_HISTORY,
        ),
        _customer(
            "own_late_share_180d",
            Ratio(
                upper=Count(source=CUSTOMER, where=(_LATE,), days=180, at="closed_at"),
                lower=Count(source=CUSTOMER, where=(known("timing"),), days=180, at="closed_at"),
            ),
            "share",
            "share of late ones among those settled in the last 180 days",
            "近180天结清发票逾期占比",
            "nothing settled in 180 days",
        ),
        _customer(
            "mean_days_to_pay",
            Mean(source=CUSTOMER, column="days_to_pay"),
            "days",
            "days the customer takes to pay on average",
            "客户平均付款天数",
            _NO_HISTORY,
        ),
        _customer(
            "mean_days_to_pay_180d",
            Mean(source=CUSTOMER, column="days_to_pay", days=180, at="closed_at"),
            "days",
            "days to pay on average over the last 180 days",
            "近180天平均付款天数",
            "nothing settled in 180 days",
        ),
        _customer(
            "max_days_to_pay",
            Max(source=CUSTOMER, column="days_to_pay"),
            "days",
            "longest time the customer took",
            "客户最长付款天数",
            _NO_HISTORY,
        ),
        _customer(
            "last_days_to_pay",
            Last(source=CUSTOMER, column="days_to_pay", at="closed_at"),
            "days",
            "days to pay of the invoice settled last",
            "最近结清发票付款天数",
            _NO_HISTORY,
        ),
        _customer(
            "mean_days_late",
            Mean(source=CUSTOMER, column="days_late"),
            "days",
            "days past due at which the customer pays on average, negative before",
            "客户平均逾期天数（提前为负）",
            _NO_HISTORY,
        ),
        _customer(
            "min_days_late",
            Min(source=CUSTOMER, column="days_late"),
            "days",
            "days past due of its promptest payment, negative before",
            "客户最短逾期天数（提前为负）",
            _NO_HISTORY,
        ),
        _customer(
            "last_days_late",
            Last(source=CUSTOMER, column="days_late", at="closed_at"),
            "days",
            "days past due of the invoice settled last, negative before",
            "最近结清发票逾期天数（提前为负）",
            _NO_HISTORY,
        ),
        at_issue("median_days_at_issue", "days", "median days to pay, as known at issue", "开票时客户付款天数中位数"),
        at_issue("shrunk_late_share", "share", "late share drawn to that of like customers", "收缩后的逾期占比"),
        at_issue("shrunk_days_to_pay", "days", "days to pay drawn to those of like customers", "收缩后的付款天数"),
        at_issue("segment_late_share", "share", "late share of like customers", "同类客户逾期占比"),
        _customer(
            "n_open_invoices",
            Count(source=CUSTOMER, where=(_OPEN,)),
            "invoices",
            "open invoices of the customer",
            "客户未结清发票数",
            "no customer",
        ),
        _customer(
            "open_gross",
            Sum(source=CUSTOMER, column="gross_amount", where=(_OPEN,)),
            "currency, gross",
            "amount of the customer's open invoices",
            "客户未结清发票金额",
            "nothing open",
        ),
        _customer(
            "n_overdue_invoices",
            Count(source=CUSTOMER, where=(_OPEN,), at="due_on"),
            "invoices",
            "open invoices of the customer past due",
            "客户逾期未结发票数",
            "no customer",
        ),
        _customer(
            "oldest_overdue_days",
            DaysSince(source=CUSTOMER, where=(_OPEN,), at="due_on", which="first"),
            "days",
            "days past due of its oldest open invoice",
            "客户最久逾期天数",
            "nothing overdue",
        ),
        feature(
            "unallocated_receipts",
            Sum(source=ON_ACCOUNT, column="amount"),
            unit="currency, gross",
            null="nothing received",
            group="history",
            en="money received from the customer that is on no invoice yet",
            zh="客户已到账未核销金额",
        ),
        _customer(
            "n_issued_30d",
            Count(source=CUSTOMER, days=30),
            "invoices",
            "invoices issued to the customer in the last 30 days",
            "近30天向客户开票数",
            "no customer",
        ),
    ),
)


def _pay_days() -> tuple[Feature, ...]:
    settled = Count(source=CUSTOMER, where=(known("settled_on"),))
    zh = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
    weekdays = (
        _customer(
            f"share_paid_on_{day}",
            Ratio(upper=Count(source=CUSTOMER, where=(is_in("pay_weekday", day),)), lower=settled),
            "share",
            f"share of its invoices it paid on a {day.capitalize()}",
            f"客户在{name}付款的占比",
            _NO_HISTORY,
        )
        for day, name in zip(WEEKDAYS[:5], zh[:5], strict=True)
    )
    month_end = _customer(
        "share_paid_at_month_end",
        Ratio(upper=Count(source=CUSTOMER, where=(is_in("month_part", "end"),)), lower=settled),
        "share",
        "share of its invoices it paid in the last days of a month",
        "客户在月末付款的占比",
        _NO_HISTORY,
    )
    return (*weekdays, month_end)


INVOICE_PAY_DAYS = FeatureGroup(
    name="invoice_pay_days",
    entity=_TABLE,
    doc="On which days the customer pays.",
    features=_pay_days(),
)
