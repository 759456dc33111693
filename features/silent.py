"""Salespeople, teams and regions of the record that get no series of their own, and why."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from features.attribution import Owners, Seller

# Someone whose role nobody states may well sell.
_SELLING = ("rep", None)
_NOTHING = "no history yet: nothing sold in a closed month"


def silent_reps(owners: Owners, sold: Collection[str], today: date) -> dict[str, str]:
    """Why salespeople get no series, by id.

    Parameters
    ----------
    owners : Owners
        The organisation of the cutoff.
    sold : collection of str
        Salespeople with an amount in a closed month.
    today : date
        The day after the last closed month.
    """
    found = {rep_id: reason for rep_id, one in owners.sellers.items() if (reason := _reason(one, sold, today))}
    return found | {rep_id: "not on the list of salespeople" for rep_id in set(sold) - set(owners.sellers)}


def silent_teams(owners: Owners, sold: Collection[str], today: date) -> dict[str, str]:
    """Why teams get no series, by id; parameters as of `silent_reps`."""
    found = {one.team_id: _NOTHING for one in _selling(owners, today) if one.team_id and one.team_id not in sold}
    gone = set() if owners.teams is None else {*sold, *found} - owners.teams
    return found | {team: "not a unit of the organisation any more" for team in sorted(gone)}


def silent_regions(owners: Owners, sold: Collection[str], today: date) -> dict[str, str]:
    """Why regions in which people sell get no series, by name; parameters as of `silent_reps`."""
    return {one.region: _NOTHING for one in _selling(owners, today) if one.region and one.region not in sold}


def _selling(owners: Owners, today: date) -> list[Seller]:
    """Those who are there to sell."""
    return [one for one in owners.sellers.values() if not _reason(one, {one.rep_id}, today)]


def _reason(seller: Seller, sold: Collection[str], today: date) -> str:
    if seller.left_on is not None and seller.left_on < today:
        return "has left the company"
    if seller.role not in _SELLING:
        return "does not sell"
    return "" if seller.rep_id in sold else _NOTHING
