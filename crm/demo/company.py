"""The whole demo company: every table of the record, and the truth behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa

from crm.demo.activities import build_activities
from crm.demo.frames import build_table
from crm.demo.lead_tables import build_leads, lead_contacts
from crm.demo.leads import make_leads
from crm.demo.people import build_people, make_staff
from crm.demo.sizes import size_of
from crm.demo.truth import Truth
from crm.demo.working_time import Ints, at_hour, epoch_day
from crm.demo.world import make_world, number_changes
from crm.schema import DType

LAST_DAY = date(2026, 6, 30)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DemoCompany:
    """A simulated company.

    Attributes
    ----------
    size : str
        The word that asked for it.
    seed : int
        Seed of its random streams.
    ends_on : date
        Last day of the record.
    tables : mapping of str to pa.Table
        Stated, custom and system columns, as `crm.tables` types them.
    custom : mapping of str to mapping of str to DType
        Columns beyond the stated ones, by table.
    truth : Truth
        What drives it. Never written anywhere.
    """

    size: str
    seed: int
    ends_on: date
    tables: Mapping[str, pa.Table]
    custom: Mapping[str, Mapping[str, DType]]
    truth: Truth

    @property
    def end_us(self) -> int:
        """Last moment of the record, UTC microseconds."""
        return int(at_hour(np.array([epoch_day(self.ends_on) + 1]), 0.0)[0]) - 1


def make_company(
    size: str,
    seed: int,
    *,
    effects: float = 1.0,
    planted_leaks: bool = False,
    months: int | None = None,
    ends_on: date = LAST_DAY,
) -> DemoCompany:
    """A demo company: the same arguments give the same bytes.

    Parameters
    ----------
    size : str
        `tiny`, `small`, `medium` or `large`.
    seed : int
        Seed of all random streams.
    effects : float
        Factor on every effect; 0 leaves pure chance, 0.5 and 1.5 are the perturbed companies.
    planted_leaks : bool
        Add ten leaks of different kinds to `leads`; `truth.planted` names them.
    months : int or None
        Length of the record instead of the size's own.
    ends_on : date
        Last day of the record.

    Examples
    --------
    >>> company = make_company("tiny", 1)
    >>> company.tables["leads"].num_rows
    600
    """
    dimensions = size_of(size)
    world = make_world(replace(dimensions, months=months or dimensions.months), seed, effects, ends_on)
    staff = make_staff(world)
    leads = make_leads(world, staff)
    tables, changes = build_people(world, staff)
    none = np.full(leads.n, -1)
    tables["leads"], moved = build_leads(world, staff, leads, none, none, none)
    changes.append(moved)
    tables["activities"] = build_activities(world, [lead_contacts(world, leads)])
    tables["changes"] = build_table(
        "changes", columns := number_changes(changes, world.end_us), _recorded(columns), ends_us=world.end_us
    )
    truth = Truth(
        laws=world.laws,
        clock=world.clock,
        contacts=dimensions.contacts,
        convert_base=leads.convert_base,
        lead_skill=staff.lead_skill,
        deal_skill=staff.deal_skill,
        optimism=staff.optimism,
        lead_state=leads.state,
        deal_score=np.zeros(0),
        payer=np.zeros(0, dtype=np.int64),
        health=np.zeros(0),
    )
    return DemoCompany(size=size, seed=seed, ends_on=ends_on, tables=tables, custom={}, truth=truth)


def _recorded(columns: Mapping[str, pa.Array]) -> Ints:
    return np.asarray(columns["occurred_at"].cast(pa.int64()).to_numpy())
