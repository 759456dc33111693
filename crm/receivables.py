"""What is owed at a moment: claims out of agreements, nodes and invoices, settled by receipts, each amount once.

An agreement, its nodes, its invoices and the receipts on them speak of the same money. Here it is cut into
claims that do not overlap: every invoice that stands, cut along the nodes it bills, and of every node the part
that no invoice has billed yet. A receipt settles claims where it is allocated; what nobody allocated goes to the
oldest claim of the same customer, and says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from crm.chain import Agreement, Chain, Installment, Invoice, Receipt

# What a bank's or a customer's acceptance bill runs when the source does not say (六个月银行承兑).
BILL_DAYS = 180


class NodeKind(StrEnum):
    """Kinds of collection nodes that are treated apart."""

    RETENTION = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Money owed that no other claim counts.

    Parameters
    ----------
    claim_id : str
        Unique within one moment.
    account_id, agreement_id, installment_id, invoice_id : str or None
        Whose money it is; `invoice_id` is None while it is not billed.
    kind : str or None
        Kind of the node.
    currency : str or None
        ISO 4217 code; None is the reporting currency.
    gross : int
        Amount, hundredths of the currency unit; negative for a credit note.
    since_on : date or None
        Day from which its age counts: the first issue of the invoice, also when it was reversed and issued anew.
    due_on : date or None
        Day after which it is late.
    """

    claim_id: str
    account_id: str | None
    agreement_id: str | None
    installment_id: str | None
    invoice_id: str | None
    kind: str | None
    currency: str | None
    gross: int
    since_on: date | None
    due_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One part of one receipt on one claim, or on no claim yet.

    `claim_id` is None for money on account. `assumed` tells that no allocation says so: oldest claim first.
    """

    receipt_id: str
    claim_id: str | None
    amount: int
    is_cash: bool
    assumed: bool


def build_claims(chain: Chain) -> tuple[Claim, ...]:
    """The claims of a moment, oldest first: together they count each amount once.

    Notes
    -----
    An invoice that names a node bills it; one that names an agreement alone bills the agreement's nodes in the
    order in which they are planned, those that are still to be paid before those paid without a bill. A retention
    node is never due before its planned day, whatever the invoice says. An agreement without nodes that states an
    amount owes what its invoices have not billed.
    """
    claims: list[Claim] = []
    unbilled = {node.installment_id: node.gross_amount for node in chain.installments.values()}
    of_agreement: dict[str, list[Installment]] = defaultdict(list)
    paid = _paid_before_billing(chain)
    for node in sorted(chain.installments.values(), key=lambda one: (one.installment_id in paid, *_planned_order(one))):
        of_agreement[node.agreement_id].append(node)
    billed: dict[str, int] = defaultdict(int)
    for invoice in sorted(chain.invoices.values(), key=lambda one: (chain.root(one).issued_on, one.invoice_id)):
        standing = chain.standing_amount(invoice)
        if standing == 0:
            continue
        named = chain.installments.get(invoice.installment_id or "")
        agreement_id = invoice.agreement_id or (named.agreement_id if named else None)
        billed[agreement_id or ""] += standing
        claims += _cut_invoice(
            chain, invoice, standing, agreement_id, [named] if named else of_agreement[agreement_id or ""], unbilled
        )
    claims += [
        _unbilled_node(chain, chain.installments[name], rest) for name, rest in sorted(unbilled.items()) if rest > 0
    ]
    for agreement in chain.agreements.values():
        agreed = agreement.gross_amount
        if agreed is not None and not of_agreement[agreement.agreement_id] and agreement.kind != "framework":
            rest = agreed - billed[agreement.agreement_id]
            if rest > 0:
                claims.append(_unbilled_agreement(agreement, rest))
    return tuple(sorted(claims, key=_age_order))


def _planned_order(node: Installment) -> tuple[bool, date, str]:
    return (node.planned_on is None, node.planned_on or date.max, node.installment_id)


def _paid_before_billing(chain: Chain) -> set[str]:
    """The nodes that receipts pay in full by their own word, without an invoice."""
    paid: dict[str, int] = defaultdict(int)
    for part in chain.allocations:
        if part.invoice_id is None and part.installment_id is not None and part.receipt_id in chain.receipts:
            paid[part.installment_id] += part.amount
    return {
        name
        for name, amount in paid.items()
        if name in chain.installments and amount >= chain.installments[name].gross_amount
    }


def _age_order(claim: Claim) -> tuple[bool, date, date, str]:
    """Billed before unbilled, then oldest first."""
    return (claim.invoice_id is None, claim.since_on or date.max, claim.due_on or date.max, claim.claim_id)


def _cut_invoice(
    chain: Chain,
    invoice: Invoice,
    amount: int,
    agreement_id: str | None,
    nodes: Iterable[Installment],
    unbilled: dict[str, int],
) -> list[Claim]:
    """The claims of one invoice: a piece for each node it bills, and the rest."""
    pieces: list[tuple[Installment | None, int]] = []
    rest = amount
    for billed in nodes:
        part = min(rest, unbilled[billed.installment_id]) if amount > 0 else 0
        if part > 0:
            pieces.append((billed, part))
            unbilled[billed.installment_id] -= part
            rest -= part
    named = chain.installments.get(invoice.installment_id or "")
    if rest:
        pieces.append((named, rest))
    root = chain.root(invoice)
    agreement = chain.agreements.get(agreement_id or "")
    claims = []
    for number, (node, part) in enumerate(pieces, start=1):
        due_on = root.due_on or invoice.due_on
        if node is not None and node.planned_on is not None:
            due_on = max(due_on or node.planned_on, node.planned_on) if node.kind == NodeKind.RETENTION else due_on
            due_on = due_on or node.planned_on
        claims.append(
            Claim(
                claim_id=f"invoice {invoice.invoice_id} part {number}",
                account_id=invoice.account_id or (agreement.account_id if agreement else None),
                agreement_id=agreement_id,
                installment_id=node.installment_id if node else None,
                invoice_id=invoice.invoice_id,
                kind=node.kind if node else None,
                currency=invoice.currency or (agreement.currency if agreement else None),
                gross=part,
                since_on=root.issued_on,
                due_on=due_on,
            )
        )
    return claims


def _unbilled_node(chain: Chain, node: Installment, rest: int) -> Claim:
    agreement = chain.agreements.get(node.agreement_id)
    return Claim(
        claim_id=f"node {node.installment_id}",
        account_id=agreement.account_id if agreement else None,
        agreement_id=node.agreement_id,
        installment_id=node.installment_id,
        invoice_id=None,
        kind=node.kind,
        currency=node.currency or (agreement.currency if agreement else None),
        gross=rest,
        since_on=node.planned_on,
        due_on=node.planned_on,
    )


def _unbilled_agreement(agreement: Agreement, rest: int) -> Claim:
    return Claim(
        claim_id=f"agreement {agreement.agreement_id}",
        account_id=agreement.account_id,
        agreement_id=agreement.agreement_id,
        installment_id=None,
        invoice_id=None,
        kind=None,
        currency=agreement.currency,
        gross=rest,
        since_on=None,
        due_on=None,
    )


def cash_day(receipt: Receipt) -> date:
    """The day on which a receipt is cash: an acceptance bill's maturity, else the day it came in."""
    if receipt.instrument != "acceptance_bill":
        return receipt.received_on
    return receipt.matures_on or receipt.received_on + timedelta(days=BILL_DAYS)


def settle(chain: Chain, claims: tuple[Claim, ...]) -> tuple[Settled, ...]:
    """How the receipts of a moment settle the claims; the parts of a receipt add up to its amount.

    Parameters
    ----------
    chain : Chain
        The money chain as known at that moment.
    claims : tuple of Claim
        From `build_claims`, oldest first.

    Notes
    -----
    First every allocation that names an invoice or a node; what was paid on a reversed invoice follows to the one
    that replaces it. Then the rest of each receipt, oldest receipt first, on the oldest claims of the same
    customer and currency. What is left stays on account.
    """
    opened = {claim.claim_id: claim.gross for claim in claims}
    by_invoice: dict[str, list[Claim]] = defaultdict(list)
    by_node: dict[str, list[Claim]] = defaultdict(list)
    by_account: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_invoice[claim.invoice_id or ""].append(claim)
        by_node[claim.installment_id or ""].append(claim)
        by_account[claim.account_id or ""].append(claim)
    settled: list[Settled] = []
    rest = {receipt.receipt_id: receipt.gross_amount for receipt in chain.receipts.values()}

    def place(receipt: Receipt, amount: int, choices: list[Claim], *, assumed: bool) -> int:
        """Settle up to `amount` on the choices in turn; what was placed."""
        placed = 0
        for claim in choices:
            part = min(amount - placed, opened[claim.claim_id])
            if part > 0:
                opened[claim.claim_id] -= part
                placed += part
                settled.append(_part(chain, receipt, claim.claim_id, part, assumed=assumed))
        return placed

    for allocation in sorted(chain.allocations, key=lambda one: one.allocation_id):
        receipt = chain.receipts.get(allocation.receipt_id)
        if receipt is None:
            continue
        choices: list[Claim] = []
        if allocation.invoice_id is not None:
            choices = by_invoice[chain.latest(allocation.invoice_id)]
        elif allocation.installment_id is not None:
            choices = by_node[allocation.installment_id]
        if allocation.amount < 0 and choices:
            opened[choices[0].claim_id] -= allocation.amount
            rest[receipt.receipt_id] -= allocation.amount
            settled.append(_part(chain, receipt, choices[0].claim_id, allocation.amount, assumed=False))
            continue
        amount = min(allocation.amount, max(rest[receipt.receipt_id], 0))
        rest[receipt.receipt_id] -= place(receipt, amount, choices, assumed=False)
    for receipt in sorted(chain.receipts.values(), key=lambda one: (one.received_on, one.receipt_id)):
        left = rest[receipt.receipt_id]
        choices = [claim for claim in by_account[receipt.account_id or ""] if claim.currency == receipt.currency]
        if left > 0 and receipt.account_id is not None:
            left -= place(receipt, left, choices, assumed=True)
        if left:
            settled.append(_part(chain, receipt, None, left, assumed=True))
    return tuple(settled)


def _part(chain: Chain, receipt: Receipt, claim_id: str | None, amount: int, *, assumed: bool) -> Settled:
    return Settled(
        receipt_id=receipt.receipt_id,
        claim_id=claim_id,
        amount=amount,
        is_cash=cash_day(receipt) < chain.on,
        assumed=assumed,
    )
