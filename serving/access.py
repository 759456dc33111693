"""Whose rows a caller sees: the one place where that is decided.

Every answer about an entity asks `visible_reps` first. What a caller may not see is answered exactly like what
does not exist. The organisation is that of the record: units count from `valid_from` to `valid_to`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from crm.store import Generation
from serving.roles import Principal, Sees


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleReps:
    """The salespeople whose rows a caller sees; rows without an owner are seen by `everyone` alone."""

    everyone: bool
    rep_ids: frozenset[str]

    def may_see(self, rep_id: str | None) -> bool:
        """Whether a row of that owner may be seen.

        Examples
        --------
        >>> VisibleReps(everyone=False, rep_ids=frozenset({"r1"})).may_see(None)
        False
        """
        return self.everyone or (rep_id is not None and rep_id in self.rep_ids)

    def may_see_sum(self, rep_ids: Collection[str] | None) -> bool:
        """Whether a sum over salespeople may be seen: by whoever sees each of them; None sums over the company.

        Examples
        --------
        >>> VisibleReps(everyone=False, rep_ids=frozenset({"r1"})).may_see_sum(["r1", "r2"])
        False
        """
        return self.everyone or (bool(rep_ids) and all(self.may_see(rep_id) for rep_id in rep_ids or ()))


NOBODY = VisibleReps(everyone=False, rep_ids=frozenset())
EVERYONE = VisibleReps(everyone=True, rep_ids=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """The units and teams on one day.

    Attributes
    ----------
    parents : mapping of str to str or None
        The unit above each unit that exists on that day.
    teams : mapping of str to str or None
        The team of each salesperson.
    """

    day: date
    parents: Mapping[str, str | None]
    teams: Mapping[str, str | None]

    def units_below(self, unit_id: str) -> frozenset[str]:
        """The unit itself and every unit under it; empty when the unit does not exist on that day."""
        if unit_id not in self.parents:
            return frozenset()
        children: dict[str, list[str]] = {}
        for unit, parent in self.parents.items():
            if parent is not None:
                children.setdefault(parent, []).append(unit)
        found, waiting = {unit_id}, [unit_id]
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return frozenset(found)

    def unit_above(self, rep_id: str) -> str | None:
        """The unit above a salesperson's team, the team itself when nothing stands above it."""
        team = self.teams.get(rep_id)
        if team is None or team not in self.parents:
            return None
        return self.parents[team] or team


def visible_reps(principal: Principal, organisation: Organisation) -> VisibleReps:
    """The salespeople whose rows the principal sees on the organisation's day.

    Examples
    --------
    >>> from serving.roles import Role
    >>> house = Organisation(day=date(2026, 1, 1), parents={"c": None, "t": "c"}, teams={"r1": "t", "r2": "c"})
    >>> boss = Principal(user_id="u", login="l", role=Role.MANAGER, scopes=frozenset(), sees=Sees.UNIT, unit_id="t")
    >>> sorted(visible_reps(boss, house).rep_ids)
    ['r1']
    """
    if principal.sees is Sees.ALL:
        return EVERYONE
    if principal.sees is Sees.REP and principal.rep_id is not None:
        return VisibleReps(everyone=False, rep_ids=frozenset({principal.rep_id}))
    if principal.sees is Sees.UNIT and principal.unit_id is not None:
        units = organisation.units_below(principal.unit_id)
        reps = frozenset(rep for rep, team in organisation.teams.items() if team in units)
        return VisibleReps(everyone=False, rep_ids=reps)
    return NOBODY


def read_organisation(generation: Generation, day: date) -> Organisation:
    """The organisation of the record on a day."""
    parents: dict[str, str | None] = {}
    since: dict[str, date] = {}
    if generation.has("org_units"):
        columns = ["unit_id", "valid_from", "valid_to", "parent_id"]
        for row in generation.read("org_units", columns).to_pylist():
            begins, ends = row["valid_from"], row["valid_to"]
            if begins > day or (ends is not None and ends < day):
                continue
            if row["unit_id"] not in since or begins > since[row["unit_id"]]:
                since[row["unit_id"]] = begins
                parents[row["unit_id"]] = row["parent_id"]
    teams: dict[str, str | None] = {}
    if generation.has("reps"):
        for row in generation.read("reps", ["rep_id", "team_id"]).to_pylist():
            teams[row["rep_id"]] = row["team_id"]
    return Organisation(day=day, parents=parents, teams=teams)
