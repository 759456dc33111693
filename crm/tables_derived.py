"""Tables that no company hands over: they are derived from the record, with clocks of their own.

`crm.settlements` makes those of money, `crm.customer_history` those of habit, `crm.use_levels` that of use.
"""

from __future__ import annotations

from crm.schema import Table, date, moment, money, number, text

_CLOSED = "closed_at"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

DERIVED_TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            name="payments",
            grain="One part of one receipt that somebody allocated to one invoice, or to the one it replaces.",
            key=("payment_id",),
            clock="paid_on",
            columns=(
                text("payment_id", "The allocation, and the invoice it followed to.", required=True),
                text("invoice_id", "The invoice.", refers_to="invoices", required=True),
                date("paid_on", "Day the receipt came in.", required=True),
                money("amount", "Amount, gross; negative when it was taken back."),
                text("instrument", "How it was paid."),
            ),
        ),
        Table(
            name="on_account",
            grain="One receipt as money that nobody allocated, or one allocation that takes its part away.",
            key=("part_id",),
            clock="received_on",
            columns=(
                text("part_id", "The receipt, and the allocation.", required=True),
                text("account_id", "The customer.", refers_to="accounts"),
                date("received_on", "Day the receipt came in.", required=True),
                money("amount", "Amount, gross; negative for an allocation."),
            ),
        ),
        Table(
            name="promised",
            grain="One promise to pay, with the time it gives itself.",
            key=("promise_id",),
            clock="made_on",
            columns=(
                text("promise_id", "The promise.", refers_to="promises", required=True),
                text("invoice_id", "The invoice.", refers_to="invoices"),
                date("made_on", "Day of the promise.", required=True),
                number("promised_within_days", "Days from the promise to the promised day.", unit="days"),
            ),
        ),
        Table(
            name="settlements",
            grain="One invoice or unbilled node with what became of it; the outcome is known from `closed_at` on.",
            key=("invoice_id",),
            clock="issued_on",
            columns=(
                text("invoice_id", "The invoice.", refers_to="invoices", required=True),
                text("account_id", "The customer.", refers_to="accounts"),
                date("issued_on", "Day of issue.", required=True),
                date("due_on", "Day on which it falls due, as first recorded."),
                money("gross_amount", "Amount, gross."),
                number("terms_days", "Days from issue to the due day.", unit="days"),
                moment(_CLOSED, "When it was known to be settled or taken back.", known_at=_CLOSED),
                date("settled_on", "Day on which receipts reached the amount.", known_at=_CLOSED),
                number("days_to_pay", "Days from issue to settlement.", unit="days", known_at=_CLOSED),
                number("days_late", "Days from the due day to settlement.", unit="days", known_at=_CLOSED),
                text("timing", "Settled by the due day or after it.", values=("on_time", "late"), known_at=_CLOSED),
                text("pay_weekday", "Weekday of the settlement.", values=WEEKDAYS, known_at=_CLOSED),
                text(
                    "month_part",
                    "Whether it fell into a month's last days.",
                    values=("before", "end"),
                    known_at=_CLOSED,
                ),
                number("amount_to_usual", "Amount over the mean of the customer's earlier invoices.", unit="share"),
                number("median_days_at_issue", "Median days to pay of the customer, as known at issue.", unit="days"),
                number("segment_late_share", "Late share of customers of its kind, as known at issue.", unit="share"),
                number("shrunk_late_share", "The customer's late share, drawn to its kind's.", unit="share"),
                number("shrunk_days_to_pay", "The customer's mean days to pay, drawn to its kind's.", unit="days"),
            ),
        ),
        Table(
            name="purchases",
            grain="One order line that is no return, with the customer's gaps as known when the line was.",
            key=("purchase_id",),
            clock="ordered_at",
            columns=(
                text("purchase_id", "The order and its line.", required=True),
                text("account_id", "The customer.", refers_to="accounts"),
                moment("ordered_at", "When it was ordered.", required=True),
                text("segment", "Its kind of customer: the kind of buyer, or else the region."),
                number("kind_gap_days", "Mean days between purchases of customers of its kind.", unit="days"),
                number("shrunk_gap_days", "The customer's mean gap, drawn to its kind's.", unit="days"),
            ),
        ),
        Table(
            name="renewals",
            grain="One agreement that was up for renewal, with how that ended.",
            key=("agreement_id",),
            clock="closed_on",
            columns=(
                text("agreement_id", "The agreement.", refers_to="agreements", required=True),
                text("account_id", "The customer.", refers_to="accounts"),
                text("kind", "Kind of agreement."),
                date("closed_on", "Day on which it was decided.", required=True),
                text("outcome", "How it ended.", values=("kept", "reduced", "lost")),
                number("amount_ratio", "Amount of the renewal over the one before.", unit="share"),
                number("share_cut", "Share of the amount that a smaller renewal took away.", unit="share"),
                number("reduced_share_of_kind", "Share of smaller renewals among losses of its kind.", unit="share"),
            ),
        ),
        Table(
            name="use_levels",
            grain="One account on one day of use, beside what all others and itself would have used that day.",
            key=("account_id", "used_on"),
            clock="used_on",
            columns=(
                text("account_id", "The customer.", refers_to="accounts", required=True),
                date("used_on", "The day.", required=True),
                number("active_users", "People who used the product.", unit="people"),
                number("expected_of_all", "People had it been like all others of its size that day.", unit="people"),
                number("expected_of_own", "People had it been like itself in the year before that day.", unit="people"),
                number("share_of_all", "People over those expected of all others.", unit="ratio"),
                text("level", "Below half of its own usual use or not.", values=("low", "usual")),
                number("fall_evidence", "Evidence that its use fell for good, 0 for none.", unit="log units"),
            ),
        ),
    )
}
