"""Tables of the money chain: opportunity -> agreement -> installment -> invoice -> receipt, and of plans."""

from __future__ import annotations

from crm.schema import Column, Table, correctable, date, flag, integer, moment, money, number, text

_CURRENCY = text("currency", "ISO 4217 code of the amounts.")
_TAX = number("tax_rate", "Tax rate.", unit="share")


def _account(*, required: bool = False) -> Column:
    return text("account_id", "The customer.", refers_to="accounts", required=required)


MONEY_TABLES: tuple[Table, ...] = (
    Table(
        name="agreements",
        grain="One agreement (合同) with a customer.",
        key=("agreement_id",),
        clock="signed_on",
        columns=(
            text("agreement_id", "Identifier of the agreement.", required=True),
            _account(),
            text("opportunity_id", "The opportunity it closes.", refers_to="opportunities"),
            text("parent_id", "The framework it is called off.", refers_to="agreements"),
            text("rep_id", "Owner now.", refers_to="reps", mutable=True),
            text(
                "kind", "Kind of agreement.", values=("licence", "subscription", "maintenance", "project", "framework")
            ),
            text("product", "Product.", refers_to="products"),
            date("signed_on", "Day of signature.", required=True),
            date("starts_on", "First day it covers."),
            date("ends_on", "Last day it covers.", mutable=True),
            money("net_amount", "Amount, net.", mutable=True),
            money("cost", "Cost, net.", mutable=True),
            _TAX,
            _CURRENCY,
            text("renewed_to", "The agreement that renews it.", refers_to="agreements", mutable=True),
            date("cancelled_at", "Day it was cancelled.", known_at="cancelled_at"),
            flag("auto_renews", "Renews by itself.", mutable=True),
        ),
    ),
    Table(
        name="installments",
        grain="One collection node (回款节点) of one agreement.",
        key=("installment_id",),
        columns=(
            text("installment_id", "Identifier of the node.", required=True),
            text("agreement_id", "The agreement.", refers_to="agreements", required=True),
            text("kind", "Kind of node.", values=("advance", "milestone", "acceptance", "retention")),
            text("trigger", "What makes it due."),
            date("planned_on", "Day on which it is planned to be paid.", mutable=True),
            money("gross_amount", "Amount, gross.", required=True, mutable=True),
            _CURRENCY,
        ),
    ),
    Table(
        name="orders",
        grain="One line of one order.",
        key=("order_id", "line"),
        clock="ordered_at",
        columns=(
            text("order_id", "Identifier of the order.", required=True),
            text("line", "Number of the line.", required=True),
            _account(),
            text("agreement_id", "The agreement it draws on.", refers_to="agreements"),
            text("opportunity_id", "The opportunity it closes.", refers_to="opportunities"),
            text("rep_id", "The seller.", refers_to="reps"),
            text("region", "Region of the order."),
            text("product", "Product.", refers_to="products"),
            moment("ordered_at", "When it was ordered.", required=True),
            number("quantity", "Quantity; negative for a return.", unit="pieces"),
            money("net_amount", "Amount of the line, net.", mutable=True),
            money("cost", "Cost of the line, net."),
            _TAX,
            _CURRENCY,
        ),
    ),
    Table(
        name="invoices",
        grain="One invoice (发票).",
        key=("invoice_id",),
        clock="issued_on",
        columns=(
            text("invoice_id", "Identifier of the invoice.", required=True),
            _account(),
            text("agreement_id", "The agreement.", refers_to="agreements"),
            text("installment_id", "The collection node.", refers_to="installments"),
            text("order_id", "The order.", refers_to="orders"),
            date("issued_on", "Day of issue.", required=True),
            correctable(date("due_on", "Day on which it falls due.")),
            money("gross_amount", "Amount, gross; negative for a credit note.", required=True),
            _TAX,
            _CURRENCY,
            date("disputed_at", "Day on which the customer disputed it.", known_at="disputed_at"),
            text("reversed_by", "The red invoice (红冲) that takes it back.", refers_to="invoices", mutable=True),
            text("replaces", "The invoice that this one re-issues; its age goes on.", refers_to="invoices"),
        ),
    ),
    Table(
        name="receipts",
        grain="One receipt of money (回款).",
        key=("receipt_id",),
        clock="received_on",
        columns=(
            text("receipt_id", "Identifier of the receipt.", required=True),
            _account(),
            date("received_on", "Day it came in.", required=True),
            money("gross_amount", "Amount, gross; negative for a refund.", required=True),
            text("instrument", "How it was paid.", values=("transfer", "cash", "acceptance_bill")),
            date("matures_on", "Day on which an acceptance bill becomes cash."),
            _CURRENCY,
        ),
    ),
    Table(
        name="receipt_allocations",
        grain="One part of one receipt on one invoice or collection node.",
        key=("allocation_id",),
        columns=(
            text("allocation_id", "Identifier of the allocation.", required=True),
            text("receipt_id", "The receipt.", refers_to="receipts", required=True),
            text("invoice_id", "The invoice.", refers_to="invoices"),
            text("installment_id", "The collection node.", refers_to="installments"),
            money("amount", "Amount, gross.", required=True),
        ),
    ),
    Table(
        name="promises",
        grain="One promise to pay.",
        key=("promise_id",),
        clock="made_on",
        columns=(
            text("promise_id", "Identifier of the promise.", required=True),
            _account(),
            text("invoice_id", "The invoice.", refers_to="invoices"),
            date("made_on", "Day of the promise.", required=True),
            date("promised_on", "Day promised.", required=True),
            money("amount", "Amount, gross."),
        ),
    ),
    Table(
        name="channel_spend",
        grain="One channel in one month.",
        key=("channel", "spend_month"),
        clock="spend_month",
        columns=(
            text("channel", "The channel.", required=True),
            date("spend_month", "First of the month.", required=True),
            money("amount", "Spend, net.", required=True, mutable=True),
            _CURRENCY,
        ),
    ),
    Table(
        name="expenses",
        grain="One unit in one month.",
        key=("unit_id", "expense_month"),
        clock="expense_month",
        columns=(
            text("unit_id", "The unit.", refers_to="org_units", required=True),
            date("expense_month", "First of the month.", required=True),
            money("amount", "Expense, net.", required=True, mutable=True),
            _CURRENCY,
        ),
    ),
    Table(
        name="fx_rates",
        grain="One currency on one day.",
        key=("currency", "rate_on"),
        clock="rate_on",
        columns=(
            text("currency", "ISO 4217 code.", required=True),
            date("rate_on", "The day.", required=True),
            number("rate", "Reporting currency for one unit.", unit="reporting currency", required=True),
        ),
    ),
    Table(
        name="targets",
        grain="One plan version x unit or rep x measure x product x segment x month.",
        key=("plan_version", "node_kind", "node_id", "measure", "product", "segment", "target_month"),
        clock="approved_at",
        columns=(
            text("plan_version", "Version of the plan.", required=True),
            text("node_kind", "Kind of node.", values=("unit", "rep"), required=True),
            text("node_id", "Unit or rep.", required=True),
            text(
                "measure",
                "What is planned.",
                values=("bookings", "receipts", "revenue", "gross_margin", "new_customers"),
                required=True,
            ),
            text("product", "Product, or `*` for all.", required=True),
            text("segment", "Segment, or `*` for all.", required=True),
            date("target_month", "First of the month.", required=True),
            money("amount", "The target, net; a count for new customers.", required=True),
            _CURRENCY,
            moment("approved_at", "When it was approved."),
            integer("rounding_step", "Step to which the plan was rounded.", unit="hundredths"),
        ),
    ),
)
