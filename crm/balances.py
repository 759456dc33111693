"""Open balances at a moment, to the hundredth: by claim, invoice, node, agreement and customer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from crm.chain import Chain, read_chain
from crm.receivables import Claim, Settled, build_claims, settle
from crm.store import Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What is owed on one claim.

    Parameters
    ----------
    claim : Claim
        The claim.
    settled : int
        Settled by receipts, acceptance bills included, hundredths of the currency unit.
    in_bills : int
        The part of `settled` that is not cash yet.
    assumed : int
        The part of `settled` that no allocation states.
    overdue_days : int or None
        Days past due of what is open; 0 when not due yet, None when settled or without a due day.
    age_days : int or None
        Days since the first issue of the invoice; None while it is not billed.
    """

    claim: Claim
    settled: int
    in_bills: int
    assumed: int
    overdue_days: int | None
    age_days: int | None

    @property
    def open(self) -> int:
        """Gross amount less what is settled."""
        return self.claim.gross - self.settled

    @property
    def overdue(self) -> int:
        """The open amount when it is late, else 0."""
        return self.open if self.overdue_days else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """All claims of a moment and the money on account that settles none of them.

    Attributes
    ----------
    on : date
        The day on whose morning this is known.
    claims : tuple of Balance
        Oldest first.
    on_account : dict of str to int
        Money by customer that settles no claim, hundredths of the currency unit.
    settled : tuple of Settled
        How the receipts were spread.
    """

    on: date
    claims: tuple[Balance, ...]
    on_account: dict[str, int]
    settled: tuple[Settled, ...]

    def by_invoice(self) -> dict[str, int]:
        """The open balance of each invoice that stands, hundredths of the currency unit."""
        return self._total("invoice_id")

    def by_node(self) -> dict[str, int]:
        """The open balance of each collection node, billed or not."""
        return self._total("installment_id")

    def by_agreement(self) -> dict[str, int]:
        """The open balance of each agreement, billed or not."""
        return self._total("agreement_id")

    def by_account(self) -> dict[str, int]:
        """The open balance of each customer, billed or not, without money on account."""
        return self._total("account_id")

    def receivable(self) -> int:
        """Everything billed and not settled."""
        return sum(balance.open for balance in self.claims if balance.claim.invoice_id is not None)

    def cash(self) -> int:
        """Everything received that is cash: transfers, and acceptance bills that have matured."""
        return sum(part.amount for part in self.settled if part.is_cash)

    def _total(self, name: str) -> dict[str, int]:
        totals: dict[str, int] = defaultdict(int)
        for balance in self.claims:
            key = getattr(balance.claim, name)
            if key is not None:
                totals[key] += balance.open
        return dict(totals)


def open_balances(generation: Generation, as_of: datetime, zone: ZoneInfo) -> Balances:
    """What was owed at a moment, as it was known then.

    Parameters
    ----------
    generation : Generation
        The record.
    as_of : datetime
        With a time zone.
    zone : ZoneInfo
        The company's time zone.

    Returns
    -------
    Balances
        exact to the hundredth; no amount stands in two claims.
    """
    return balances_of(read_chain(generation, as_of, zone))


def balances_of(chain: Chain) -> Balances:
    """What is owed in a money chain."""
    claims = build_claims(chain)
    parts = settle(chain, claims)
    by_claim: dict[str, list[Settled]] = defaultdict(list)
    on_account: dict[str, int] = defaultdict(int)
    for part in parts:
        if part.claim_id is None:
            on_account[chain.receipts[part.receipt_id].account_id or ""] += part.amount
        else:
            by_claim[part.claim_id].append(part)
    return Balances(
        on=chain.on,
        claims=tuple(_balance(claim, by_claim[claim.claim_id], chain.on) for claim in claims),
        on_account=dict(on_account),
        settled=parts,
    )


def _balance(claim: Claim, parts: list[Settled], on: date) -> Balance:
    settled = sum(part.amount for part in parts)
    is_open = claim.gross != settled
    overdue = None if not is_open or claim.due_on is None else max((on - claim.due_on).days, 0)
    return Balance(
        claim=claim,
        settled=settled,
        in_bills=sum(part.amount for part in parts if not part.is_cash),
        assumed=sum(part.amount for part in parts if part.assumed),
        overdue_days=overdue,
        age_days=(on - claim.since_on).days if claim.invoice_id is not None and claim.since_on is not None else None,
    )
