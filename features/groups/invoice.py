"""What is known of an open invoice: its terms and age, what was paid on it, how its customer has paid so far.

Everything about a settlement comes from `crm.settlements`: an invoice counts as settled from the moment that was
known, so the history of a customer is made of invoices settled before the row's moment and of no others.
"""

from __future__ import annotations

from features.groups.invoice_customer import INVOICE_CUSTOMER, INVOICE_PAY_DAYS, at_issue
from features.groups.season import season_group
from features.matrix import Kind
from features.spec import (
    AgeDays,
    Attribute,
    Calendar,
    Count,
    DaysSince,
    Feature,
    FeatureGroup,
    Last,
    Source,
    Sum,
    feature,
    is_in,
)

_TABLE = "invoices"
PAYMENTS = Source(name="payments", table="payments", key="invoice_id")
PROMISES = Source(name="promises", table="promises", key="invoice_id")
CONTACTS = Source(name="contacts", table="activities", key="invoice_id", where=(is_in("kind", "collection"),))
PROMISED = Source(name="promised", table="promised", key="invoice_id")


def _days(name: str, column: str, en: str, zh: str, null: str = "unknown") -> Feature:
    age = AgeDays(column=column, table=_TABLE)
    return feature(name, age, unit="days", null=null, group="timing", en=en, zh=zh)


INVOICE_TERMS = FeatureGroup(
    name="invoice_terms",
    entity=_TABLE,
    doc="Amount, terms, age and disputes of the invoice.",
    features=(
        feature(
            "gross_amount",
            Attribute(column="gross_amount", table=_TABLE),
            unit="currency, gross",
            group="terms",
            en="amount of the invoice",
            zh="发票金额",
        ),
        feature(
            "currency",
            Attribute(column="currency", table=_TABLE),
            kind=Kind.CATEGORY,
            group="terms",
            en="currency",
            zh="币种",
        ),
        at_issue("terms_days", "days", "agreed days to pay", "付款账期天数", "no due day"),
        at_issue("amount_to_usual", "share", "amount against the customer's usual", "金额相对客户常态", "first one"),
        _days("days_since_issue", "issued_on", "days since the invoice was issued", "开票后天数"),
        _days("days_past_due", "due_on", "days past due, negative before", "逾期天数（未到期为负）", "no due day"),
        _days("days_since_dispute", "disputed_at", "days since the customer disputed it", "客户异议后天数", "none"),
    ),
)

INVOICE_PAYMENTS = FeatureGroup(
    name="invoice_payments",
    entity=_TABLE,
    doc="What was paid, promised and asked for on the invoice so far.",
    features=(
        feature(
            "paid_so_far",
            Sum(source=PAYMENTS, column="amount"),
            unit="currency, gross",
            null="nothing paid yet",
            group="payments",
            en="amount paid on the invoice so far",
            zh="该发票已回款金额",
        ),
        feature(
            "n_payments",
            Count(source=PAYMENTS),
            unit="payments",
            group="payments",
            en="payments on the invoice so far",
            zh="该发票回款次数",
        ),
        feature(
            "days_since_payment",
            DaysSince(source=PAYMENTS),
            unit="days",
            null="nothing paid yet",
            group="payments",
            en="days since the last payment on the invoice",
            zh="距该发票上次回款天数",
        ),
        feature(
            "n_promises",
            Count(source=PROMISES),
            unit="promises",
            null="promises are not recorded",
            group="payments",
            en="promises to pay it",
            zh="付款承诺次数",
        ),
        feature(
            "days_since_promise",
            DaysSince(source=PROMISED),
            unit="days",
            null="nothing promised yet",
            group="payments",
            en="days since the last promise to pay it",
            zh="距最近付款承诺天数",
        ),
        feature(
            "promised_within_days",
            Last(source=PROMISED, column="promised_within_days"),
            unit="days",
            null="nothing promised yet",
            group="payments",
            en="days the last promise gave itself",
            zh="最近承诺的付款期限天数",
        ),
        feature(
            "days_since_promised_day",
            DaysSince(source=PROMISES, at="promised_on"),
            unit="days",
            null="no promised day has passed",
            group="payments",
            en="days since the last promised day",
            zh="距最近承诺付款日天数",
        ),
        feature(
            "n_collection_contacts_30d",
            Count(source=CONTACTS, days=30),
            unit="contacts",
            null="contacts are not recorded",
            group="payments",
            en="collection contacts about it in the last 30 days",
            zh="近30天催收联系次数",
        ),
    ),
)


def _buyer() -> tuple[Feature, ...]:
    return (
        *(
            feature(
                f"account_{column}",
                Attribute(column=column, table="accounts", reach="account_id"),
                kind=Kind.CATEGORY,
                null="no customer",
                group="account",
                en=en,
                zh=zh,
            )
            for column, en, zh in (
                ("buyer_type", "kind of buyer", "客户类型"),
                ("industry", "industry", "行业"),
                ("region", "region", "地区"),
                ("external_credit_grade", "credit grade", "外部信用等级"),
            )
        ),
        feature(
            "account_credit_limit",
            Attribute(column="credit_limit", table="accounts", reach="account_id"),
            unit="currency, gross",
            group="account",
            en="credit limit",
            zh="信用额度",
        ),
        feature(
            "account_payment_terms_days",
            Attribute(column="payment_terms_days", table="accounts", reach="account_id"),
            unit="days",
            group="account",
            en="payment terms of the customer",
            zh="客户账期",
        ),
    )


INVOICE_BUYER = FeatureGroup(name="invoice_buyer", entity=_TABLE, doc="Who has to pay.", features=_buyer())

INVOICE_CALENDAR = FeatureGroup(
    name="invoice_calendar",
    entity=_TABLE,
    doc="Where the day lies in the month and the year, by which customers pay.",
    features=(
        feature(
            "days_to_month_end",
            Calendar(what="days_to_month_end"),
            unit="days",
            group="season",
            en="days to the end of the month",
            zh="距月末天数",
        ),
        feature(
            "days_to_year_end",
            Calendar(what="days_to_year_end"),
            unit="days",
            group="season",
            en="days to the end of the year",
            zh="距年末天数",
        ),
        *season_group(_TABLE, "invoice").features,
    ),
)

GROUPS = (INVOICE_TERMS, INVOICE_PAYMENTS, INVOICE_CUSTOMER, INVOICE_PAY_DAYS, INVOICE_BUYER, INVOICE_CALENDAR)
