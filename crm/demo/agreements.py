"""Agreements: what won deals become, and how customers renew, shrink, cancel or leave.

An account's health is latent. A renewal is a logit in health, and a customer who will leave declines in use
for some months before: given health and the day the decline began, everything seen is independent counts, so
that the chance of leaving can be integrated over a grid of the two.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import expit

from crm.demo.deal_tables import tax_rate
from crm.demo.deal_terms import Terms
from crm.demo.deals import WON, Accounts, Deals
from crm.demo.frames import build_table, days, ids, numbers, picks, whole
from crm.demo.people import PRODUCTS, Staff, successor
from crm.demo.working_time import Floats, Ints, at_hour, local_day
from crm.demo.world import World, change_rows

KINDS = ("licence", "subscription", "maintenance", "project")
LICENCE, SUBSCRIPTION, MAINTENANCE, PROJECT = range(4)
_MAINTENANCE_PRODUCT = 5
_ROUNDS = 12
_USD = 7.0


@dataclass(slots=True, kw_only=True, eq=False)
class Agreements:
    """All agreements; each array has shape (n_agreements,), days are epoch days, places -1 for none.

    Attributes
    ----------
    account, deal, rep, product, kind : ndarray of int64
        Places.
    signed, starts, ends : ndarray of int64
        Days; `ends` 0 for a perpetual licence.
    net, cost : ndarray of int64
        Minor units.
    renewed_to : ndarray of int64
        Place of the agreement that renews it.
    cancelled : ndarray of int64
        Day, 0 for none.
    lapses : ndarray of bool
        The customer leaves at its end (or cancels). Known to the truth before it shows.
    """

    account: Ints
    deal: Ints
    rep: Ints
    product: Ints
    kind: Ints
    signed: Ints
    starts: Ints
    ends: Ints
    net: Ints
    cost: Ints
    renewed_to: Ints
    cancelled: Ints
    lapses: npt.NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of agreements."""
        return len(self.account)

    def take(self, rows: Ints) -> Agreements:
        """The agreements at the given places; `renewed_to` is not renumbered."""
        return Agreements(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def make_agreements(
    world: World, accounts: Accounts, deals: Deals, terms: Terms, foreign: npt.NDArray[np.bool_]
) -> tuple[Agreements, Floats]:
    """All agreements in order of signature, and the latent health of every account."""
    rng = world.streams["agreements"]
    health = rng.normal(0, 1, accounts.n)
    first = _join([_inherited(world, rng, accounts, foreign), _won(world, rng, deals, terms)])
    first = _join([first, _follow_up(world, rng, first)])
    generations = [first]
    current = first
    offset = 0
    for _ in range(_ROUNDS):
        following, parent = _renew(world, rng, current, health)
        current.renewed_to[parent] = offset + current.n + np.arange(following.n)
        offset += current.n
        if not following.n:
            break
        generations.append(following)
        current = following
    return _in_order(_join(generations)), health


def _blank(account: Ints, **given: Ints) -> Agreements:
    n = len(account)
    none = np.full(n, -1)
    values = {"deal": none, "renewed_to": none.copy(), "cancelled": np.zeros(n, dtype=np.int64)} | given
    return Agreements(account=account, lapses=np.zeros(n, dtype=np.bool_), **values)


def _inherited(
    world: World, rng: np.random.Generator, accounts: Accounts, foreign: npt.NDArray[np.bool_]
) -> Agreements:
    """What the first customers had before the record began: one running subscription or maintenance each."""
    account = np.flatnonzero(accounts.is_base)
    n = len(account)
    product = np.where(rng.random(n) < 0.7, rng.integers(0, 2, n), _MAINTENANCE_PRODUCT)
    starts = world.first_day - rng.integers(1, 364, n)
    price = np.array([row[2] for row in PRODUCTS])[product] / np.where(foreign[account], _USD, 1.0)
    net = np.round(price * np.exp(rng.normal(-0.2, 0.5, n)) / 100_000).astype(np.int64) * 100_000 + 100_000
    return _blank(
        account,
        rep=accounts.rep[account],
        product=product,
        kind=_kind_of(product),
        signed=starts - rng.integers(3, 30, n),
        starts=starts,
        ends=starts + 364,
        net=net,
        cost=_cost(product, net),
    )


def _kind_of(product: Ints) -> Ints:
    return np.array([KINDS.index(row[4]) for row in PRODUCTS])[product]


def _cost(product: Ints, net: Ints) -> Ints:
    share = np.array([row[3] / row[2] for row in PRODUCTS])[product]
    return np.asarray(np.round(net * share).astype(np.int64))


def _won(world: World, rng: np.random.Generator, deals: Deals, terms: Terms) -> Agreements:
    """One agreement for each won deal, signed within days."""
    won = np.flatnonzero(deals.outcome == WON)
    n = len(won)
    product, kind = terms.product[won], _kind_of(terms.product[won])
    signed = local_day(world.clock.moment(deals.closed[won])) + rng.integers(0, 6, n)
    starts = signed + rng.integers(1, 20, n)
    years = np.array([1, 1, 1, 1, 1, 1, 2, 2, 3])[rng.integers(9, size=n)]
    length = np.select(
        [kind == SUBSCRIPTION, kind == MAINTENANCE, kind == PROJECT],
        [365 * years - 1, np.full(n, 364), rng.integers(150, 420, n)],
        -starts,
    )
    keep = np.flatnonzero(signed <= world.last_day)
    every = _blank(
        deals.account[won],
        deal=won,
        rep=deals.rep[won],
        product=product,
        kind=kind,
        signed=signed,
        starts=starts,
        ends=starts + length,
        net=terms.net_amount[won],
        cost=_cost(product, terms.net_amount[won]),
    )
    return every.take(keep)


def _follow_up(world: World, rng: np.random.Generator, first: Agreements) -> Agreements:
    """Maintenance that follows a licence after a year, or a project after its end."""
    base = np.flatnonzero(((first.kind == LICENCE) | (first.kind == PROJECT)) & (rng.random(first.n) < 0.7))
    starts = np.where(first.kind[base] == LICENCE, first.starts[base] + 365, first.ends[base] + 30)
    signed = starts - rng.integers(2, 25, len(base))
    keep = np.flatnonzero(signed <= world.last_day)
    base, starts, signed = base[keep], starts[keep], signed[keep]
    product = np.full(len(base), _MAINTENANCE_PRODUCT)
    net = np.round(first.net[base] * 0.15 / 100_000).astype(np.int64) * 100_000 + 100_000
    return _blank(
        first.account[base],
        rep=first.rep[base],
        product=product,
        kind=np.full(len(base), MAINTENANCE),
        signed=signed,
        starts=starts,
        ends=starts + 364,
        net=net,
        cost=_cost(product, net),
    )


def _renew(world: World, rng: np.random.Generator, current: Agreements, health: Floats) -> tuple[Agreements, Ints]:
    """The agreements that renew the given ones, and the places of those they renew."""
    laws, effects = world.laws.money, world.laws.effects
    recurring = (current.kind == SUBSCRIPTION) | (current.kind == MAINTENANCE)
    well = effects * health[current.account]
    one_year = current.ends - current.starts < 370
    cancels = recurring & one_year & (rng.random(current.n) < laws.cancel_share * np.exp(-0.7 * well))
    day = current.starts + (rng.uniform(0.4, 0.9, current.n) * (current.ends - current.starts)).astype(np.int64)
    current.cancelled = np.where(cancels & (day <= world.last_day), day, 0)
    leaves = rng.random(current.n) < expit(laws.renewal_churn_logit + laws.renewal_health * well)
    current.lapses = recurring & (leaves | cancels)
    signed = np.maximum(current.ends - rng.integers(-10, 45, current.n), current.signed + 1)
    rows = np.flatnonzero(recurring & ~current.lapses & (signed <= world.last_day))
    shrinks = rng.random(len(rows)) < expit(np.log(laws.downsell_share / (1 - laws.downsell_share)) - 0.8 * well[rows])
    factor = np.where(shrinks, rng.uniform(0.5, 0.9, len(rows)), rng.uniform(1.0, 1.08, len(rows)))
    net = np.round(current.net[rows] * factor / 10_000).astype(np.int64) * 10_000
    starts = np.maximum(current.ends[rows], signed[rows] - 1) + 1
    following = _blank(
        current.account[rows],
        rep=current.rep[rows],
        product=current.product[rows],
        kind=current.kind[rows],
        signed=signed[rows],
        starts=starts,
        ends=starts + 364,
        net=net,
        cost=_cost(current.product[rows], net),
    )
    return following, rows


def _join(parts: list[Agreements]) -> Agreements:
    return Agreements(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Agreements)})


def _in_order(rows: Agreements) -> Agreements:
    order = np.argsort(rows.signed, kind="stable")
    place = np.empty(rows.n + 1, dtype=np.int64)
    place[order] = np.arange(rows.n)
    place[-1] = -1
    rows.renewed_to = place[rows.renewed_to]
    return rows.take(order)


def _auto_share(world: World, agreements: Agreements) -> Floats:
    """How likely each agreement renews by itself: rarer among those that will lapse, none without an end."""
    share = 0.30 + world.laws.effects * np.where(agreements.lapses, -0.15, 0.03)
    recurring = (agreements.kind == SUBSCRIPTION) | (agreements.kind == MAINTENANCE)
    return np.asarray(np.where(recurring, share, 0.0))


def build_agreements(
    world: World, staff: Staff, agreements: Agreements, foreign: npt.NDArray[np.bool_]
) -> tuple[pa.Table, list[pa.Table]]:
    """The table `agreements`, and renewals and hand-overs as changes."""
    rng = world.streams["agreements"]
    n = agreements.n
    gone = staff.left[agreements.rep] <= world.last_day
    owner = np.where(gone, successor(staff, agreements.rep), agreements.rep)
    name = ids("C", np.arange(1, n + 1))
    signed_at = at_hour(agreements.signed, 17.5)
    columns = {
        "agreement_id": name,
        "account_id": ids("A", agreements.account + 1),
        "opportunity_id": ids("O", np.where(agreements.deal < 0, -1, agreements.deal + 1)),
        "rep_id": ids("R", owner + 1, width=4),
        "kind": picks(KINDS, agreements.kind),
        "product": picks([row[0] for row in PRODUCTS], agreements.product),
        "signed_on": days(agreements.signed),
        "starts_on": days(agreements.starts),
        "ends_on": days(agreements.ends, agreements.ends > 0),
        "net_amount": whole(agreements.net),
        "cost": whole(agreements.cost),
        "tax_rate": numbers(tax_rate(agreements.product)),
        "currency": picks(("CNY", "USD"), foreign[agreements.account].astype(np.int64)),
        "renewed_to": ids("C", np.where(agreements.renewed_to < 0, -1, agreements.renewed_to + 1)),
        "cancelled_at": days(agreements.cancelled, agreements.cancelled > 0),
        "auto_renews": pa.array(rng.random(n) < _auto_share(world, agreements)),
    }
    rows = build_table("agreements", columns, signed_at, ends_us=world.end_us)
    renewed = np.flatnonzero(agreements.renewed_to >= 0)
    following = agreements.renewed_to[renewed]
    renewal = change_rows(
        "agreements",
        name.take(pa.array(renewed)),
        signed_at[following],
        "renewed_to",
        pa.nulls(len(renewed), pa.string()),
        ids("C", following + 1),
    )
    moved = np.flatnonzero(gone)
    at = np.maximum(at_hour(staff.left[agreements.rep[moved]], 18.0), signed_at[moved] + 60_000_000)
    old, new = ids("R", agreements.rep[moved] + 1, width=4), ids("R", owner[moved] + 1, width=4)
    return rows, [renewal, change_rows("agreements", name.take(pa.array(moved)), at, "rep_id", old, new)]
